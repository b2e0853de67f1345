// Conversion of element types: out[i] = TO(x[i]). Reals are cut towards 0 and saturate at the last whole number that both types
// hold, as WGSL has it (2^31 - 128 for f32 to i32); NaN, which WGSL leaves open, becomes 0. Work is shared out as
// lib/vectors.wgsl says. Cost: the bytes of both types.
//
// requires: lib/vectors.wgsl, lib/nan.wgsl

alias FROM = f32;
alias TO = f32;

// Real to integer.
override TO_INTEGER: bool = false;

struct Params {
  size: u32, // elements
}

@group(0) @binding(0) var<storage, read> x: array<vec4<FROM>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<TO>>;
@group(0) @binding(2) var<uniform> params: Params;

fn convert(value: vec4<FROM>) -> vec4<TO> {
  if (!TO_INTEGER) { return vec4<TO>(value); }
  return select(vec4<TO>(value), vec4<TO>(TO(0)), is_nan4(vec4f(value)));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, (params.size + 3u) / 4u);
  for (var i = span.first; i < span.end; i += WORKGROUP) { out[i] = convert(x[i]); }
}
