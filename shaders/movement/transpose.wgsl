// Swaps the last two of three axes: out[batch, j, i] = x[batch, i, j]; x is [batches, rows, columns]. NHWC to NCHW and back is
// this with rows = height * width.
//
// One step of the walk (lib/walk.wgsl) moves one 4 x 4 block through registers: four vec4 loads, four vec4 stores, where element
// by element it would be sixteen of each. Neighbours take neighbouring blocks of the same rows. Work is shared out as
// lib/vectors.wgsl says, by blocks.
// `aligned`: rows and columns are multiples of 4. `ragged`: they are not; elements are stored one by one, and loaded so too unless
// columns are a multiple of 4 (WIDE); blocks at the edges are cut.
// Cost: twice the bytes of x.
//
// requires: lib/vectors.wgsl, lib/walk.wgsl

alias T = u32;

override WIDE: bool = false; // ragged: rows of x begin at multiples of 4 elements

struct Params {
  size: u32,    // blocks in all
  rows: u32,    // of x
  columns: u32, // of x
  shape: array<vec4<u32>, 2>, // in blocks: columns, rows, batches
  jump: array<vec4<u32>, 2>,
  start: vec4<u32>,
  strides: array<vec4<u32>, 8>, // to the first elements of blocks, in vec4s or, if ragged, in elements
}

@group(0) @binding(0) var<storage, read> x: array<vec4<T>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<T>>;
@group(0) @binding(1) var<storage, read_write> out_scalars: array<T>;
@group(0) @binding(2) var<storage, read> x_scalars: array<T>; // the same memory as x
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn aligned(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.size);
  let across = params.columns / 4u;
  let down = params.rows / 4u;
  var walk = walk_to(span.first);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    let a = x[walk.at.x];
    let b = x[walk.at.x + across];
    let c = x[walk.at.x + 2u * across];
    let d = x[walk.at.x + 3u * across];
    out[walk.at.y] = vec4<T>(a.x, b.x, c.x, d.x);
    out[walk.at.y + down] = vec4<T>(a.y, b.y, c.y, d.y);
    out[walk.at.y + 2u * down] = vec4<T>(a.z, b.z, c.z, d.z);
    out[walk.at.y + 3u * down] = vec4<T>(a.w, b.w, c.w, d.w);
    jump(&walk);
  }
}

fn load4(first: u32) -> vec4<T> {
  if (WIDE) { return x[first / 4u]; }
  return vec4<T>(x_scalars[first], x_scalars[first + 1u], x_scalars[first + 2u], x_scalars[first + 3u]);
}

fn store4(first: u32, value: vec4<T>, count: u32) {
  for (var lane = 0u; lane < 4u; lane++) {
    if (lane < count) { out_scalars[first + lane] = value[lane]; }
  }
}

@compute @workgroup_size(WORKGROUP)
fn ragged(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.size);
  var walk = walk_to(span.first);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    let width = params.columns - 4u * walk.low.x;
    let height = params.rows - 4u * walk.low.y;
    // What is loaded past an edge is not stored.
    let a = load4(walk.at.x);
    let b = load4(walk.at.x + params.columns);
    let c = load4(walk.at.x + 2u * params.columns);
    let d = load4(walk.at.x + 3u * params.columns);
    if (width > 0u) { store4(walk.at.y, vec4<T>(a.x, b.x, c.x, d.x), height); }
    if (width > 1u) { store4(walk.at.y + params.rows, vec4<T>(a.y, b.y, c.y, d.y), height); }
    if (width > 2u) { store4(walk.at.y + 2u * params.rows, vec4<T>(a.z, b.z, c.z, d.z), height); }
    if (width > 3u) { store4(walk.at.y + 3u * params.rows, vec4<T>(a.w, b.w, c.w, d.w), height); }
    jump(&walk);
  }
}
