// Swaps the last two of three axes: out[batch, j, i] = x[batch, i, j]; x is [batches, rows, columns] with rows and columns
// multiples of 4. NHWC to NCHW and back is this with rows = height * width.
//
// One invocation moves one 4 x 4 block through registers: four vec4 loads, four vec4 stores, where element by element it
// would be sixteen of each. Neighbours take neighbouring blocks of the same rows. Cost: twice the bytes of x.
//
// requires: lib/grid.wgsl

alias T = u32;

const WORKGROUP = 64u;

struct Params {
  blocks: u32,  // batches * rows / 4 * columns / 4
  rows: u32,    // of x, in blocks
  columns: u32, // of x, in blocks
}

@group(0) @binding(0) var<storage, read> x: array<vec4<T>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<T>>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let block = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (block >= params.blocks) { return; }
  let column = block % params.columns;
  let row = block / params.columns % params.rows;
  let batch = block / params.columns / params.rows;
  let origin = (batch * params.rows + row) * 4u * params.columns + column;
  let a = x[origin];
  let b = x[origin + params.columns];
  let c = x[origin + 2u * params.columns];
  let d = x[origin + 3u * params.columns];
  let target_block = (batch * params.columns + column) * 4u * params.rows + row;
  out[target_block] = vec4<T>(a.x, b.x, c.x, d.x);
  out[target_block + params.rows] = vec4<T>(a.y, b.y, c.y, d.y);
  out[target_block + 2u * params.rows] = vec4<T>(a.z, b.z, c.z, d.z);
  out[target_block + 3u * params.rows] = vec4<T>(a.w, b.w, c.w, d.w);
}
