// Memory of one value: every 32-bit word of out becomes `word`, which holds one element of 4 bytes or two of 2 bytes.
// Work is shared out as lib/vectors.wgsl says. Cost: 4 bytes an element, no arithmetic.
//
// requires: lib/vectors.wgsl

struct Params {
  size: u32, // 32-bit words of out
  word: u32, // the bits to write
}

@group(0) @binding(0) var<storage, read_write> out: array<vec4u>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, (params.size + 3u) / 4u);
  for (var i = span.first; i < span.end; i += WORKGROUP) { out[i] = vec4u(params.word); }
}
