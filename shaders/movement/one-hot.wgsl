// Labels as rows with a single 1: out[i, c] = 1 where c = labels[i], else 0. A label outside 0..classes-1 gives a row of 0.
// One invocation makes one element. Cost: 4 bytes an element.
//
// requires: lib/grid.wgsl

alias T = f32;

const WORKGROUP = 64u;

struct Params {
  size: u32, // elements of out
  classes: u32,
}

@group(0) @binding(0) var<storage, read> labels: array<u32>; // or i32: a negative one is a huge u32
@group(0) @binding(1) var<storage, read_write> out: array<T>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.size) { return; }
  out[i] = select(T(0), T(1), labels[i / params.classes] == i % params.classes);
}
