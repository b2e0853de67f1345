// Remembers the first op whose tensor holds a NaN or an infinity.
//
//   first = min(first, ordinal)  if any element's exponent bits are all ones
//
// One invocation looks at 4 * VECTORS elements, a workgroup apart. Only a wrong tensor costs an atomic. Cost: 4 bytes an element.
//
// requires: lib/grid.wgsl
// requires: lib/nan.wgsl

const WORKGROUP = 64u;
const VECTORS = 4u;

struct Params {
  size: u32,    // elements of x
  ordinal: u32, // how many tensors were looked at before this one
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> first: atomic<u32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let begin = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP * VECTORS * 4u + local_index;
  for (var j = 0u; j < VECTORS * 4u; j++) {
    let i = begin + j * WORKGROUP;
    if (i < params.size && (x[i] & EXPONENT_BITS) == EXPONENT_BITS) { atomicMin(&first, params.ordinal); }
  }
}
