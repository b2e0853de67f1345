// Gradient of a convolution for its weights, the definition: strides, padding, dilation, groups. Formula of the forward pass:
// geometry.wgsl.
//
//   dw[ky, kx, ci, co] = sum over n, oy, ox of
//     x[n, oy stride_y + ky dilation_y - pad_top, ox stride_x + kx dilation_x - pad_left, ci] dy[n, oy, ox, co]
//
// One invocation makes one element of dw, in one long sum. Cost: as the forward pass.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage; sums are f32

const WORKGROUP = 64u;

@group(0) @binding(0) var<storage, read> x: array<T>;        // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> dy: array<T>;       // [batch, out_height, out_width, cout]
@group(0) @binding(2) var<storage, read_write> dw: array<T>; // [kh, kw, cin / groups, cout]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let channels = params.in_channels / params.groups;
  let co = index % params.out_channels;
  let ci = index / params.out_channels % channels;
  let tap = index / params.out_channels / channels;
  if (tap >= params.kernel_height * params.kernel_width) { return; }
  let in_channel = co / (params.out_channels / params.groups) * channels + ci;
  var sum = 0.0;
  for (var row = 0u; row < params.batch * params.out_height; row++) {
    let image = row / params.out_height;
    let y = input_y(row % params.out_height, tap / params.kernel_width);
    if (!inside(y, params.height)) { continue; }
    // One sum a row: short sums of short sums lose fewer digits than one of a million terms.
    var row_sum = 0.0;
    for (var ox = 0u; ox < params.out_width; ox++) {
      let ix = input_x(ox, tap % params.kernel_width);
      if (!inside(ix, params.width)) { continue; }
      let x_pixel = (image * params.height + u32(y)) * params.width + u32(ix);
      let dy_pixel = row * params.out_width + ox;
      row_sum = fma(f32(x[x_pixel * params.in_channels + in_channel]), f32(dy[dy_pixel * params.out_channels + co]), row_sum);
    }
    sum += row_sum;
  }
  dw[index] = T(sum);
}
