// Memory of one value: every 32-bit word of out becomes `word`, which holds one element of 4 bytes or two of 2 bytes.
// One invocation writes VECTORS vec4s, a workgroup apart so that neighbours write neighbours.
// Cost: 4 bytes an element, no arithmetic.
//
// requires: lib/grid.wgsl

const WORKGROUP = 64u;
const VECTORS = 4u;

struct Params {
  words: u32, // 32-bit words of out
  word: u32,  // the bits to write
}

@group(0) @binding(0) var<storage, read_write> out: array<vec4u>;
@group(0) @binding(1) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let first = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP * VECTORS + local_index;
  let end = (params.words + 3u) / 4u;
  for (var j = 0u; j < VECTORS; j++) {
    let i = first + j * WORKGROUP;
    if (i < end) { out[i] = vec4u(params.word); }
  }
}
