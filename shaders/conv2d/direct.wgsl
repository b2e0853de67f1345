// Convolution, the definition: strides, padding, dilation, groups up to depthwise, any number of channels. Formula: geometry.wgsl.
//
// One invocation makes one element of out. Cost: 2 kh kw (cin / groups) flops an element, with two loads for every two
// flops, so it runs at the speed of the cache. The other variants differ only in who loads what.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage; sums are f32

const WORKGROUP = 64u;

override BIAS: bool = false;

@group(0) @binding(0) var<storage, read> x: array<T>;         // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> w: array<T>;         // [kh, kw, cin / groups, cout]
@group(0) @binding(2) var<storage, read> bias: array<T>;      // [cout]; without BIAS anything
@group(0) @binding(3) var<storage, read_write> out: array<T>; // [batch, out_height, out_width, cout]
@group(0) @binding(4) var<uniform> params: Params;

// The sum over the channels of one tap.
fn tap_sum(x_first: u32, w_first: u32, channels: u32) -> f32 {
  var sum = 0.0;
  for (var c = 0u; c < channels; c++) {
    sum = fma(f32(x[x_first + c]), f32(w[w_first + c * params.out_channels]), sum);
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
  let co = index % params.out_channels;
  let p = pixel_at(index / params.out_channels, params.out_height, params.out_width);
  if (p.image >= params.batch) { return; }
  let channels = params.in_channels / params.groups;
  let group = co / (params.out_channels / params.groups);
  var sum = 0.0;
  if (BIAS) { sum = f32(bias[co]); }
  for (var ky = 0u; ky < params.kernel_height; ky++) {
    let y = input_y(p.y, ky);
    if (!inside(y, params.height)) { continue; }
    for (var kx = 0u; kx < params.kernel_width; kx++) {
      let ix = input_x(p.x, kx);
      if (!inside(ix, params.width)) { continue; }
      let pixel = (p.image * params.height + u32(y)) * params.width + u32(ix);
      let tap = ky * params.kernel_width + kx;
      sum += tap_sum(pixel * params.in_channels + group * channels, tap * channels * params.out_channels + co, channels);
    }
  }
  out[index] = T(sum);
}
