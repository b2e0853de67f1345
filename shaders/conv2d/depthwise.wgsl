// Depthwise convolution: as many groups as channels, each with one channel of x and one of out, in multiples of 4. Formula: geometry.wgsl.
//
// One invocation makes 4 neighbouring pixels x 4 channels: for each row of the kernel it loads the taps and the columns of x that
// the pixels meet, zero outside the image, each of them once: 6 columns for 3 taps and stride 1 instead of 12.
// Cost: 2 kh kw flops an element of out and, for 3 x 3, 27 vec4s loaded for 36 of the multiplications of vec4s, so it
// is bound by loads. Matrix products gain nothing here: no value meets more than one channel.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl
// requires: conv2d/strip.wgsl

alias T = f32; // storage; sums are f32
alias V = vec4<T>;

const WORKGROUP = 64u;

override BIAS: bool = false;

@group(0) @binding(0) var<storage, read> x: array<V>;         // [batch, height, width, c]
@group(0) @binding(1) var<storage, read> w: array<V>;         // [kh, kw, 1, c]
@group(0) @binding(2) var<storage, read> bias: array<V>;      // [c]; without BIAS anything
@group(0) @binding(3) var<storage, read_write> out: array<V>; // [batch, out_height, out_width, c]
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let groups = params.out_channels / 4u;
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let group = index % groups;
  let strip = pixel_at(index / groups, params.out_height, (params.out_width + PIXELS - 1u) / PIXELS);
  if (strip.image >= params.batch) { return; }
  let first = strip.x * PIXELS;
  let left = input_x(first, 0u);
  var sums: PixelValues;
  for (var ky = 0u; ky < params.kernel_height; ky++) {
    let y = input_y(strip.y, ky);
    if (!inside(y, params.height)) { continue; }
    let row = (strip.image * params.height + u32(y)) * params.width;
    var taps: TapValues;
    for (var t = 0u; t < TAPS; t++) { taps[t] = vec4f(w[(ky * TAPS + t) * groups + group]); }
    for (var column = 0u; column < columns(); column++) {
      let ix = left + i32(column);
      let is_inside = inside(ix, params.width);
      let value = select(vec4f(), vec4f(x[select(0u, (row + u32(ix)) * groups + group, is_inside)]), is_inside);
      for (var p = 0u; p < PIXELS; p++) {
        let tap = tap_at(column, p);
        if (tap < TAPS) { sums[p] = fma(value, taps[tap], sums[p]); }
      }
    }
  }
  let at = (strip.image * params.out_height + strip.y) * params.out_width + first;
  for (var p = 0u; p < min(PIXELS, params.out_width - first); p++) {
    var sum = sums[p];
    if (BIAS) { sum += vec4f(bias[group]); }
    out[(at + p) * groups + group] = V(sum);
  }
}
