// Gradient of a convolution for its input, the definition: strides, padding, dilation, groups. Formula of the forward pass: geometry.wgsl.
//
//   dx[n, y, x, ci] = sum over ky, kx, co of dy[n, oy, ox, co] w[ky, kx, ci, co]
//   where oy stride_y = y + pad_top - ky dilation_y has a whole solution inside out, and likewise ox
//
// One invocation makes one element of dx. Cost: as the forward pass.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage; sums are f32

const WORKGROUP = 64u;

@group(0) @binding(0) var<storage, read> dy: array<T>;       // [batch, out_height, out_width, cout]
@group(0) @binding(1) var<storage, read> w: array<T>;        // [kh, kw, cin / groups, cout]
@group(0) @binding(2) var<storage, read_write> dx: array<T>; // [batch, height, width, cin]
@group(0) @binding(3) var<uniform> params: Params;

// The output row or column that reads place `at` through this tap, or -1.
fn reader(at: u32, pad: i32, tap: u32, stride: u32, size: u32) -> i32 {
  let numerator = i32(at) + pad - i32(tap);
  if (numerator < 0 || u32(numerator) % stride != 0u) { return -1; }
  let o = u32(numerator) / stride;
  return select(-1, i32(o), o < size);
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let ci = index % params.in_channels;
  let p = pixel_at(index / params.in_channels, params.height, params.width);
  if (p.image >= params.batch) { return; }
  let in_group = params.in_channels / params.groups;
  let out_group = params.out_channels / params.groups;
  let first = ci / in_group * out_group;
  var sum = 0.0;
  for (var ky = 0u; ky < params.kernel_height; ky++) {
    let oy = reader(p.y, params.pad_top, ky * params.dilation_y, params.stride_y, params.out_height);
    if (oy < 0) { continue; }
    for (var kx = 0u; kx < params.kernel_width; kx++) {
      let ox = reader(p.x, params.pad_left, kx * params.dilation_x, params.stride_x, params.out_width);
      if (ox < 0) { continue; }
      let pixel = (p.image * params.out_height + u32(oy)) * params.out_width + u32(ox);
      let dy_first = pixel * params.out_channels + first;
      let w_first = ((ky * params.kernel_width + kx) * in_group + ci % in_group) * params.out_channels + first;
      for (var co = 0u; co < out_group; co++) {
        sum = fma(f32(dy[dy_first + co]), f32(w[w_first + co]), sum);
      }
    }
  }
  dx[index] = T(sum);
}
