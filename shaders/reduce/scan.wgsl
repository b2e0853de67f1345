// Running sums along one axis, forwards or backwards.
//
//   out[o, r, i] = sum of x[o, k, i] over k <= r          (k >= r with REVERSE)
//
// A long axis is cut into blocks. `totals` sums each block, the totals are scanned by the same kernels, and `scan` begins
// every block with the sum of those before it. One invocation makes one block of one column.
// Cost: x is read twice and out written; two flops an element. Source: Blelloch, Prefix Sums and Their Applications (1990).
//
// requires: lib/grid.wgsl

alias T = f32; // elements of x
alias A = f32; // what is added: f32 for f16, else T
alias O = f32; // elements of out

const WORKGROUP = 64u;

override REVERSE: bool = false;
override OFFSETS: bool = false; // there are blocks before a block

struct Params {
  columns: u32, // outer * inner
  length: u32,
  inner: u32,
  blocks: u32,
  per_block: u32,
}

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> scanned: array<A>; // [outer, blocks, inner]: sums up to the end of each block
@group(0) @binding(2) var<storage, read_write> out: array<O>;
@group(0) @binding(3) var<storage, read_write> block_totals: array<A>; // [outer, blocks, inner]
@group(0) @binding(4) var<uniform> params: Params;

struct Place {
  column: u32, // element of x at r = 0
  block: u32,
  outside: bool,
}

fn place_of(index: u32) -> Place {
  let o = index / params.inner / params.blocks;
  let column = o * params.length * params.inner + index % params.inner;
  return Place(column, index / params.inner % params.blocks, o * params.inner >= params.columns);
}

// The element of x at step k of the way.
fn element_at(column: u32, k: u32) -> u32 {
  if (REVERSE) { return column + (params.length - 1u - k) * params.inner; }
  return column + k * params.inner;
}

@compute @workgroup_size(WORKGROUP)
fn totals(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let place = place_of(index);
  if (place.outside) { return; }
  let begin = place.block * params.per_block;
  var total = A(0);
  for (var k = begin; k < min(begin + params.per_block, params.length); k++) {
    total += A(x[element_at(place.column, k)]);
  }
  block_totals[index] = total;
}

@compute @workgroup_size(WORKGROUP)
fn scan(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let place = place_of(index);
  if (place.outside) { return; }
  let begin = place.block * params.per_block;
  var total = A(0);
  if (OFFSETS && place.block > 0u) { total = scanned[index - params.inner]; }
  for (var k = begin; k < min(begin + params.per_block, params.length); k++) {
    let element = element_at(place.column, k);
    total += A(x[element]);
    out[element] = O(total);
  }
}
