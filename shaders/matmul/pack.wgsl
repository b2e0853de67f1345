// Packs a stack of matrices in the order in which packed.wgsl reads them.
//
// x is [matrices, rows, columns]. 32 rows, or 32 columns where the sums run down the rows (ACROSS), make a block: for every 4
// steps of the sum 32 vec4s.
//   along:  vec4 number i holds 4 neighbours of row 4 (i % 8) + i / 8 of the block; the sums run along the rows.
//   across: vec4 number i holds columns 4 (i % 8) to 4 (i % 8) + 3 of the block and of row i / 8 of 4; the sums run down the columns.
// Steps that fill up the last 4 are zero. Rows or columns that fill up the last block are copies of others: they make results
// that nobody stores.
//
// One workgroup takes STEPS times 32 vec4s of one block, one invocation every 32nd of them. `aligned`: columns come in vec4s.
// `ragged`: they do not. Cost: twice the bytes of x.
//
// requires: lib/grid.wgsl

alias T = f32;
alias V = vec4<T>;

override ACROSS: bool = false;
override STEPS: u32 = 8u;

struct Params {
  rows: u32,
  columns: u32,
  matrix: u32, // elements from one matrix to the next
  blocks: u32, // of a matrix
  steps: u32,  // of 4, along a block
  parts: u32,  // workgroups of a block
  size: u32,   // workgroups in all
}

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(0) var<storage, read> x_scalars: array<T>;
@group(0) @binding(1) var<storage, read_write> out: array<V>; // [matrices, blocks, steps, 32]
@group(0) @binding(2) var<uniform> params: Params;

const BLOCK = 32u;

// What one invocation copies: steps `first` to `end` of a block.
struct Part { matrix: u32, block: u32, first: u32, end: u32, to: u32 }

fn part_of(workgroup: u32, local: u32) -> Part {
  let block = workgroup / params.parts;
  let matrix = block / params.blocks;
  let first = (workgroup - block * params.parts) * STEPS;
  let to = (block * params.steps + first) * BLOCK + local;
  let end = select(first, min(first + STEPS, params.steps), workgroup < params.size);
  return Part(matrix, block - matrix * params.blocks, first, end, to);
}

// The row of a block whose neighbours lie in vec4 number i: so those of a lane, 8 apart, are 4 neighbouring rows.
fn row_of(i: u32) -> u32 {
  return 4u * (i % 8u) + i / 8u;
}

@compute @workgroup_size(BLOCK)
fn aligned(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let part = part_of(linear_workgroup(workgroup_id, num_workgroups), local);
  let line = params.columns / 4u;
  let matrix = part.matrix * (params.matrix / 4u);
  let row = min(part.block * BLOCK + row_of(local), params.rows - 1u);
  let column = min(part.block * 8u + local % 8u, line - 1u);
  var to = part.to;
  for (var step = part.first; step < part.end; step++) {
    let down = 4u * step + local / 8u;
    let at = select(row * line + step, min(down, params.rows - 1u) * line + column, ACROSS);
    out[to] = select(V(), x[matrix + at], !ACROSS || down < params.rows);
    to += BLOCK;
  }
}

// The element at a place, or zero past the end of a sum.
fn element(matrix: u32, row: u32, column: u32) -> T {
  let is_inside = select(column < params.columns, row < params.rows, ACROSS);
  let at = min(row, params.rows - 1u) * params.columns + min(column, params.columns - 1u);
  return select(T(), x_scalars[matrix + at], is_inside);
}

@compute @workgroup_size(BLOCK)
fn ragged(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let part = part_of(linear_workgroup(workgroup_id, num_workgroups), local);
  let matrix = part.matrix * params.matrix;
  var to = part.to;
  for (var step = part.first; step < part.end; step++) {
    let row = select(part.block * BLOCK + row_of(local), 4u * step + local / 8u, ACROSS);
    let column = select(4u * step, part.block * BLOCK + 4u * (local % 8u), ACROSS);
    out[to] = V(
      element(matrix, row, column),
      element(matrix, row, column + 1u),
      element(matrix, row, column + 2u),
      element(matrix, row, column + 3u),
    );
    to += BLOCK;
  }
}
