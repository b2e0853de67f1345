// Gradient of a convolution with respect to its input from the gradient of its matrix of patches (col2im), which one matrix product
// made: patches = w dy^T, see engine/ops/conv2d/col2im.ts.
//
//   dx[n, y, x, ci] = sum over ky, kx of patches[ky, kx, ci, the pixel of out from which the tap reaches y, x]
//
// over the taps and pixels of out with y = oy stride_y + ky dilation_y - pad_top, likewise x. Groups: 1. Formula: geometry.wgsl.
// One invocation gathers CHANNELS neighbouring channels of one pixel of one phase of dx: see Params. So no two write the same place,
// the order of the sum is fixed, and no zeros between strides are visited. The images are those of the pixels of out from
// first_pixel on.
// Neighbouring invocations are neighbours along x and load neighbours: pixels of out are innermost.
// Cost: memory alone. Each number of the matrix is loaded once.
// Source: Chellapilla, Puri and Simard, High performance convolutional neural networks for document processing (2006).
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage; sums are f32

const WORKGROUP = 64u;

override CHANNELS: u32 = 1u; // 1 to 4, a divisor of cin
override TAPS: u32 = 1u;     // of a row of the kernel, in this phase

@group(0) @binding(0) var<storage, read> patches: array<T>;  // [kh, kw, cin, pixels]
@group(0) @binding(1) var<storage, read_write> dx: array<T>; // [batch, height, width, cin]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let image_pixels = params.out_height * params.out_width;
  let images = params.pixels / image_pixels;
  let pixels = images * params.phase_height * params.phase_width;
  let first_channel = index / pixels * CHANNELS;
  if (first_channel >= params.in_channels) { return; }
  let p = pixel_at(index % pixels, params.phase_height, params.phase_width);
  let first = vec2i(i32(p.x) + params.shift_x, i32(p.y) + params.shift_y);
  // From one tap to the next, the place in the matrix moves by the same distance everywhere, inside the image or not. Distances
  // backwards wrap around.
  let tap_size = params.in_channels * params.pixels;
  let across = params.tap_step_x * tap_size - params.shift_step_x;
  let down = params.tap_step_y * params.kernel_width * tap_size - params.shift_step_y * params.out_width;
  var row = (params.tap_y * params.kernel_width + params.tap_x) * tap_size + first_channel * params.pixels
    + p.image * image_pixels + u32(first.y) * params.out_width + u32(first.x);
  var sums: vec4f;
  var oy = first.y;
  for (var ky = params.tap_y; ky < params.kernel_height; ky += params.tap_step_y) {
    var ox = first.x;
    var at = row;
    for (var tap = 0u; tap < TAPS; tap++) {
      if (inside(oy, params.out_height) && inside(ox, params.out_width)) {
        for (var c = 0u; c < CHANNELS; c++) { sums[c] += f32(patches[at + c * params.pixels]); }
      }
      ox -= i32(params.shift_step_x);
      at += across;
    }
    oy -= i32(params.shift_step_y);
    row += down;
  }
  let first_image = params.first_pixel / image_pixels;
  let to = (phase_pixel(p) + first_image * params.height * params.width) * params.in_channels + first_channel;
  for (var c = 0u; c < CHANNELS; c++) { dx[to + c] = T(sums[c]); }
}
