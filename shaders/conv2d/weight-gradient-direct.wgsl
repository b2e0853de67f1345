// Gradient of a convolution with respect to its weights: every option, any number of channels. Formula: geometry.wgsl, and
//
//   dw[ky, kx, ci, co] = sum over n, oy, ox of x[n, oy stride_y + ky dilation_y - pad_top, ...] dy[n, oy, ox, co]
//
// One invocation makes one element of one part of the sum: see Params. The parts are added up by another kernel, always in
// the same order, so the same input gives the same bits; float atomics would not.
// Cost: 2 flops for each element and pixel of dy, with two loads.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage of x and dy
alias O = f32; // storage of the result

const WORKGROUP = 64u;

@group(0) @binding(0) var<storage, read> x: array<T>;        // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> dy: array<T>;       // [batch, out_height, out_width, cout]
@group(0) @binding(2) var<storage, read_write> dw: array<O>; // [parts, kh, kw, cin / groups, cout]
@group(0) @binding(3) var<uniform> params: Params;

// The sum over one row of dy, which begins at pixel `dy_row`; x_row is the first pixel of the row of x that it meets.
fn row_sum(x_row: u32, dy_row: u32, kx: u32, ci: u32, co: u32) -> f32 {
  var sum = 0.0;
  for (var ox = 0u; ox < params.out_width; ox++) {
    let ix = input_x(ox, kx);
    if (inside(ix, params.width)) {
      let value = f32(x[(x_row + u32(ix)) * params.in_channels + ci]);
      sum = fma(value, f32(dy[(dy_row + ox) * params.out_channels + co]), sum);
    }
  }
  return sum;
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let channels = params.in_channels / params.groups;
  let size = params.kernel_height * params.kernel_width * channels * params.out_channels;
  if (index >= size) { return; }
  let co = index % params.out_channels;
  let row = index / params.out_channels;
  let tap = row / channels;
  let ci = co / (params.out_channels / params.groups) * channels + row % channels;
  let first = workgroup_id.z * params.part_rows;
  let last = min(first + params.part_rows, params.batch * params.out_height);
  var sum = 0.0;
  for (var r = first; r < last; r++) {
    let image = r / params.out_height;
    let y = input_y(r % params.out_height, tap / params.kernel_width);
    if (inside(y, params.height)) {
      let x_row = (image * params.height + u32(y)) * params.width;
      sum += row_sum(x_row, r * params.out_width, tap % params.kernel_width, ci, co);
    }
  }
  dw[workgroup_id.z * size + index] = O(sum);
}
