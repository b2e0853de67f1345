// The most bytes that a kernel can move: every invocation copies PER_INVOCATION vec4s, or numbers with T = f32, a workgroup's width
// apart, so that neighbours read neighbours.

alias T = vec4f;

override PER_INVOCATION: u32 = 4u;

struct Params { size: u32 } // elements of T

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> out: array<T>;
@group(0) @binding(2) var<uniform> params: Params;

const WORKGROUP = 64u;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let group = workgroup_id.y * num_workgroups.x + workgroup_id.x;
  let first = group * WORKGROUP * PER_INVOCATION + lane;
  for (var i = 0u; i < PER_INVOCATION; i++) {
    let at = first + i * WORKGROUP;
    if (at < params.size) { out[at] = x[at]; }
  }
}
