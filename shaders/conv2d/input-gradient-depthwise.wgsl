// Gradient of a depthwise convolution with respect to its input: as many groups as channels, each with one channel of x and
// one of out, in multiples of 4. Formula: input-gradient-direct.wgsl.
//
// One invocation makes 4 neighbouring pixels of one phase of dx (see Params) x 4 channels. Within a phase it is a convolution of
// dy with stride 1, whose taps are those of w that reach the phase, the last one first: see depthwise.wgsl.
// Cost: 2 kh kw / (stride_y stride_x) flops an element of dx; bound by loads.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl
// requires: conv2d/strip.wgsl

alias T = f32; // storage; sums are f32
alias V = vec4<T>;

const WORKGROUP = 64u;

@group(0) @binding(0) var<storage, read> dy: array<V>;       // [batch, out_height, out_width, c]
@group(0) @binding(1) var<storage, read> w: array<V>;        // [kh, kw, 1, c]
@group(0) @binding(2) var<storage, read_write> dx: array<V>; // [batch, height, width, c]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let groups = params.in_channels / 4u;
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let group = index % groups;
  let strip = pixel_at(index / groups, params.phase_height, (params.phase_width + PIXELS - 1u) / PIXELS);
  if (strip.image >= params.batch) { return; }
  let first = strip.x * PIXELS;
  let left = i32(first) + params.shift_x - i32((TAPS - 1u) * STEP);
  let last_tap = params.tap_x + (TAPS - 1u) * params.tap_step_x;
  var sums: PixelValues;
  var oy = i32(strip.y) + params.shift_y;
  for (var ky = params.tap_y; ky < params.kernel_height; ky += params.tap_step_y) {
    if (inside(oy, params.out_height)) {
      let row = (strip.image * params.out_height + u32(oy)) * params.out_width;
      var taps: TapValues;
      for (var t = 0u; t < TAPS; t++) {
        taps[t] = vec4f(w[(ky * params.kernel_width + last_tap - t * params.tap_step_x) * groups + group]);
      }
      for (var column = 0u; column < columns(); column++) {
        let ox = left + i32(column);
        let is_inside = inside(ox, params.out_width);
        let value = select(vec4f(), vec4f(dy[select(0u, (row + u32(ox)) * groups + group, is_inside)]), is_inside);
        for (var p = 0u; p < PIXELS; p++) {
          let tap = tap_at(column, p);
          if (tap < TAPS) { sums[p] = fma(value, taps[tap], sums[p]); }
        }
      }
    }
    oy -= i32(params.shift_step_y);
  }
  for (var p = 0u; p < min(PIXELS, params.phase_width - first); p++) {
    let at = phase_pixel(Pixel(strip.image, strip.y, first + p));
    dx[at * groups + group] = V(sums[p]);
  }
}
