// Gradient of a depthwise convolution with respect to its weights: as many groups as channels, each with one channel of x and one of
// out, in multiples of 4. Formula: weight-gradient-direct.wgsl.
//
// One invocation makes one row of the kernel x 4 channels of one part of the sum (see Params). It goes along the rows of dy by
// 4 pixels at a time and loads these and the columns of x that they meet, zero outside the image, each of them once.
// Cost: 2 kh kw flops an element of dy and, for 3 x 3, 30 vec4s loaded for 36 multiplications of vec4s; bound by loads.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl
// requires: conv2d/strip.wgsl

alias T = f32; // storage of x and dy
alias O = f32; // storage of the result
alias V = vec4<T>;

const WORKGROUP = 64u;

@group(0) @binding(0) var<storage, read> x: array<V>;              // [batch, height, width, c]
@group(0) @binding(1) var<storage, read> dy: array<V>;             // [batch, out_height, out_width, c]
@group(0) @binding(2) var<storage, read_write> dw: array<vec4<O>>; // [parts, kh, kw, 1, c]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let groups = params.out_channels / 4u;
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let group = index % groups;
  let ky = index / groups;
  if (ky >= params.kernel_height) { return; }
  let first = workgroup_id.z * params.part_rows;
  let last = min(first + params.part_rows, params.batch * params.out_height);
  var sums: TapValues;
  for (var row = first; row < last; row++) {
    let image = row / params.out_height;
    let y = input_y(row - image * params.out_height, ky);
    if (!inside(y, params.height)) { continue; }
    let x_row = (image * params.height + u32(y)) * params.width;
    for (var ox = 0u; ox < params.out_width; ox += PIXELS) {
      var pixels: PixelValues;
      for (var p = 0u; p < PIXELS; p++) {
        let is_real = ox + p < params.out_width;
        let at = (row * params.out_width + ox + p) * groups + group;
        pixels[p] = select(vec4f(), vec4f(dy[select(0u, at, is_real)]), is_real);
      }
      let left = input_x(ox, 0u);
      for (var column = 0u; column < columns(); column++) {
        let ix = left + i32(column);
        let is_inside = inside(ix, params.width);
        let value = select(vec4f(), vec4f(x[select(0u, (x_row + u32(ix)) * groups + group, is_inside)]), is_inside);
        for (var p = 0u; p < PIXELS; p++) {
          let tap = tap_at(column, p);
          if (tap < TAPS) { sums[tap] = fma(value, pixels[p], sums[tap]); }
        }
      }
    }
  }
  for (var t = 0u; t < TAPS; t++) {
    let tap = (workgroup_id.z * params.kernel_height + ky) * TAPS + t;
    dw[tap * groups + group] = vec4<O>(sums[t]);
  }
}
