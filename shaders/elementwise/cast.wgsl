// Conversion of element types: out[i] = TO(x[i]). Reals are cut towards 0 and saturate at the ends of the integer range, as
// WGSL has it; NaN becomes 0. One invocation makes one element. Cost: the bytes of both types.
//
// requires: lib/grid.wgsl

alias FROM = f32;
alias TO = f32;

const WORKGROUP = 64u;

struct Params {
  size: u32, // elements
}

@group(0) @binding(0) var<storage, read> x: array<FROM>;
@group(0) @binding(1) var<storage, read_write> out: array<TO>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i < params.size) { out[i] = TO(x[i]); }
}
