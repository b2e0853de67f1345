// Gradient of a convolution with respect to its input, which is also the transposed convolution: every option, any number of
// channels. Formula: geometry.wgsl, and
//
//   dx[n, y, x, ci] = sum over ky, kx, co of dy[n, oy, ox, co] w[ky, kx, ci, co]
//
// over the taps and pixels of out with y = oy stride_y + ky dilation_y - pad_top, likewise x, and co in the group of ci.
// One invocation makes one element of one phase of dx: see Params. Where stride is 1 there is one phase, the whole of dx.
// Cost: 2 kh kw (cout / groups) / (stride_y stride_x) flops an element: no multiplications by the zeros between strides.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage; sums are f32

const WORKGROUP = 64u;

@group(0) @binding(0) var<storage, read> dy: array<T>;       // [batch, out_height, out_width, cout]
@group(0) @binding(1) var<storage, read> w: array<T>;        // [kh, kw, cin / groups, cout]
@group(0) @binding(2) var<storage, read_write> dx: array<T>; // [batch, height, width, cin]
@group(0) @binding(3) var<uniform> params: Params;

fn tap_sum(dy_first: u32, w_first: u32, channels: u32) -> f32 {
  var sum = 0.0;
  for (var c = 0u; c < channels; c++) {
    sum = fma(f32(dy[dy_first + c]), f32(w[w_first + c]), sum);
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
  let ci = index % params.in_channels;
  let p = pixel_at(index / params.in_channels, params.phase_height, params.phase_width);
  if (p.image >= params.batch) { return; }
  let group_in = params.in_channels / params.groups;
  let group_out = params.out_channels / params.groups;
  let first_out = ci / group_in * group_out;
  var sum = 0.0;
  var oy = i32(p.y) + params.shift_y;
  for (var ky = params.tap_y; ky < params.kernel_height; ky += params.tap_step_y) {
    var ox = i32(p.x) + params.shift_x;
    for (var kx = params.tap_x; kx < params.kernel_width; kx += params.tap_step_x) {
      if (inside(oy, params.out_height) && inside(ox, params.out_width)) {
        let pixel = (p.image * params.out_height + u32(oy)) * params.out_width + u32(ox);
        let row = (ky * params.kernel_width + kx) * group_in + ci % group_in;
        sum += tap_sum(pixel * params.out_channels + first_out, row * params.out_channels + first_out, group_out);
      }
      ox -= i32(params.shift_step_x);
    }
    oy -= i32(params.shift_step_y);
  }
  dx[phase_pixel(p) * params.in_channels + ci] = T(sum);
}
