// Conversion of element types: out[i] = TO(x[i]). Reals are cut towards 0 and saturate at the last whole number that both types
// hold, as WGSL has it (2^31 - 128 for f32 to i32); NaN, which WGSL leaves open, becomes 0. One invocation makes one element.
// Cost: the bytes of both types.
//
// requires: lib/grid.wgsl
// requires: lib/nan.wgsl

alias FROM = f32;
alias TO = f32;

const WORKGROUP = 64u;

// Real to integer.
override TO_INTEGER: bool = false;

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
  if (i >= params.size) { return; }
  let value = x[i];
  if (TO_INTEGER && is_nan(f32(value))) {
    out[i] = TO(0);
  } else {
    out[i] = TO(value);
  }
}
