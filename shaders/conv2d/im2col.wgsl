// The matrix of patches (im2col) of a convolution, packed for matmul/packed.wgsl: with it the convolution is one matrix product.
//
//   out[pixel, tap, ci] = x[the pixel of x that the tap meets, ci]       zero outside the image
//
// Rows are pixels of the result, from first_pixel on. 32 of them make a block. For every 4 steps of the sum, which
// runs over taps and channels of x, a block has 32 vec4s, one for each row, in the order of pack.wgsl. The last
// vec4 of a row is filled up with zeros, the last block with rows that nobody stores.
// `vectors`: 4 divides the channels. One workgroup makes one tap of one block, an invocation a pixel. `scalars`: any number of
// channels. One workgroup makes a block.
// Cost: memory alone. x is read kh kw times, from the cache, and as much is written; the product reads it back.
// Source: Chellapilla, Puri and Simard, High performance convolutional neural networks for document processing (2006).
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl
// requires: conv2d/tap-steps.wgsl

alias T = f32;
alias V = vec4<T>;

@group(0) @binding(0) var<storage, read> x: array<V>; // [batch, height, width, cin]
@group(0) @binding(0) var<storage, read> x_scalars: array<T>;
@group(0) @binding(1) var<storage, read_write> out: array<V>; // [pixels / 32, kh kw cin / 4, 32]
@group(0) @binding(2) var<uniform> params: Params;

const BLOCK = 32u;

// The row of a block in vec4 number i: see pack.wgsl.
fn row_of(i: u32) -> u32 {
  return 4u * (i % 8u) + i / 8u;
}

@compute @workgroup_size(BLOCK)
fn vectors(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let taps = params.kernel_height * params.kernel_width;
  let workgroup = linear_workgroup(workgroup_id, num_workgroups);
  let block = workgroup / taps;
  let tap = workgroup - block * taps;
  let pixel = params.first_pixel + block * BLOCK + row_of(local);
  if (block * BLOCK >= params.pixels) { return; }
  let ky = tap / params.kernel_width;
  let step = Step(ky, tap - ky * params.kernel_width, 0u);
  let source = source_of(pixel_at(pixel, params.out_height, params.out_width), step);
  let groups = params.in_channels / 4u;
  var to = (block * taps * groups + tap * groups) * BLOCK + local;
  let first = source.at / 4u;
  for (var c = 0u; c < groups; c++) {
    out[to] = select(V(), x[first + c], source.inside);
    to += BLOCK;
  }
}

// The value of x for a step, or zero.
fn value(p: Pixel, step: Step) -> T {
  let source = source_of(p, step);
  return select(T(), x_scalars[source.at], source.inside);
}

@compute @workgroup_size(BLOCK)
fn scalars(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let block = linear_workgroup(workgroup_id, num_workgroups);
  if (block * BLOCK >= params.pixels) { return; }
  let p = pixel_at(params.first_pixel + block * BLOCK + row_of(local), params.out_height, params.out_width);
  let steps = (params.kernel_height * params.kernel_width * params.in_channels + 3u) / 4u;
  var to = block * steps * BLOCK + local;
  var step = Step(0u, 0u, 0u);
  for (var i = 0u; i < steps; i++) {
    let s1 = next(step);
    let s2 = next(s1);
    let s3 = next(s2);
    out[to] = V(value(p, step), value(p, s1), value(p, s2), value(p, s3));
    step = next(s3);
    to += BLOCK;
  }
}
