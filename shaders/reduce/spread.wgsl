// The gradient of a sum or mean over one block of neighbouring axes: every summand gets the gradient of its sum.
//
//   dx[o, r, i] = dy[o, i] * scale
//
// dx is [outer, length, inner]. One invocation makes 4 neighbouring elements. Cost: 4 bytes an element written, dy read.
//
// requires: lib/grid.wgsl

alias T = f32;

const WORKGROUP = 64u;

struct Params {
  size: u32,   // elements of dx
  length: u32, // of the block that was summed
  inner: u32,
  scale: f32,
}

@group(0) @binding(0) var<storage, read> dy: array<vec4<T>>;
@group(0) @binding(1) var<storage, read> dy_scalars: array<T>; // the same memory
@group(0) @binding(2) var<storage, read_write> dx: array<vec4<T>>;
@group(0) @binding(3) var<uniform> params: Params;

// The element of dy that element `i` of dx was summed into.
fn source_of(i: u32) -> u32 {
  return i / (params.length * params.inner) * params.inner + i % params.inner;
}

fn spread4(first: u32) -> vec4f {
  if (params.inner % 4u == 0u) { return vec4f(dy[source_of(first) / 4u]); }
  if (params.inner == 1u && params.length % 4u == 0u) { return vec4f(f32(dy_scalars[first / params.length])); }
  return vec4f(
    f32(dy_scalars[source_of(first)]),
    f32(dy_scalars[source_of(first + 1u)]),
    f32(dy_scalars[source_of(first + 2u)]),
    f32(dy_scalars[source_of(first + 3u)]),
  );
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let first = 4u * (linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index);
  if (first < params.size) { dx[first / 4u] = vec4<T>(params.scale * spread4(first)); }
}
