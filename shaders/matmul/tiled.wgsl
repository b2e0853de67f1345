// Matrix product by tiles in workgroup memory: every size, every alignment, both operands transposed or not.
//
//   out[part, b, i, j] = sum over the p of a part of a[b, i, p] b[b, p, j]
//
// A workgroup makes 64 (or 32) rows x 64 columns of one part of the sums: lib/workgroup-tile.wgsl. For each 16 steps of k every
// invocation loads 4 (or 2) vec4s of a and 4 of b, zeros outside; what is stored across the order of its tile is turned round in
// registers. Where the lines of an operand come in vec4s, it is loaded by them (VECTORS_A, VECTORS_B), else one by one. `main` stores
// vec4s, `ragged` numbers, for columns that are no multiple of 4. An element is loaded from global memory 16 times less often than in
// register.wgsl, and a multiplication takes 0.25 numbers from workgroup memory instead of 0.5 from the cache.
// Cost: 2 m n k flops; a is read n / 64 times, b m / 64 times. The variant for GPUs: on software adapters workgroup memory is slower
// than the cache (docs/rejected-experiments.md).
// Source: the blocking of Volkov and Demmel, Benchmarking GPUs to tune dense linear algebra (2008).
//
// requires: lib/grid.wgsl
// requires: lib/workgroup-tile.wgsl
// requires: matmul/params.wgsl

alias T = f32; // storage of a and b; sums are f32
alias O = f32; // storage of the result
alias V = vec4<T>;

override TRANSPOSE_A: bool = false; // a is stored [k, m]
override TRANSPOSE_B: bool = false; // b is stored [n, k]
override VECTORS_A: bool = true;
override VECTORS_B: bool = true;

@group(0) @binding(0) var<storage, read> a: array<V>;                // [batch, m, k]
@group(0) @binding(1) var<storage, read> a_scalars: array<T>;        // the same
@group(0) @binding(2) var<storage, read> b: array<V>;                // [batch, k, n]
@group(0) @binding(3) var<storage, read> b_scalars: array<T>;        // the same
@group(0) @binding(4) var<storage, read_write> out: array<vec4<O>>;  // [parts, batch, m, n]
@group(0) @binding(5) var<storage, read_write> out_scalars: array<O>; // the same
@group(0) @binding(6) var<uniform> params: Params;

// What a workgroup makes: the tile at [row, column] of one matrix, in one part of the sums.
struct Tile { row: u32, column: u32, matrix: u32, part: u32 }

fn tile_of(workgroup_id: vec3u, num_workgroups: vec3u) -> Tile {
  let tiles = (params.n + TILE_COLUMNS - 1u) / TILE_COLUMNS;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let row = tile / tiles * tile_rows();
  let column = tile % tiles * TILE_COLUMNS;
  return Tile(row, column, workgroup_id.z % params.batch, workgroup_id.z / params.batch);
}

// 4 neighbours in a line of a, zeros outside. Lines are rows, or steps of k where a is transposed.
fn load_a(first: u32, line: u32, at: u32) -> vec4f {
  let lines = select(params.m, params.k, TRANSPOSE_A);
  let length = select(params.k, params.m, TRANSPOSE_A);
  if (line >= lines || at >= length) { return vec4f(); }
  let place = first + line * length + at;
  if (VECTORS_A) { return vec4f(a[place / 4u]); }
  var values = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (at + i < length) { values[i] = f32(a_scalars[place + i]); }
  }
  return values;
}

// The same of b. Lines are steps of k, or columns where b is transposed.
fn load_b(first: u32, line: u32, at: u32) -> vec4f {
  let lines = select(params.k, params.n, TRANSPOSE_B);
  let length = select(params.n, params.k, TRANSPOSE_B);
  if (line >= lines || at >= length) { return vec4f(); }
  let place = first + line * length + at;
  if (VECTORS_B) { return vec4f(b[place / 4u]); }
  var values = vec4f();
  for (var i = 0u; i < 4u; i++) {
    if (at + i < length) { values[i] = f32(b_scalars[place + i]); }
  }
  return values;
}

// Steps p to p + 15 of the rows from `row` on. Four neighbouring invocations share a row, or a group of 4 rows that lie side by side.
fn fill_a(first: u32, row: u32, p: u32, local_index: u32) {
  let quarter = local_index % STEP_GROUPS;
  let own = local_index / STEP_GROUPS;
  if (!TRANSPOSE_A) {
    for (var i = 0u; i < OWN_ROWS / 2u; i++) {
      set_a(own + 16u * i, quarter, load_a(first, row + own + 16u * i, p + 4u * quarter));
    }
    return;
  }
  if (4u * own >= tile_rows()) { return; }
  var lines: mat4x4f;
  for (var i = 0u; i < 4u; i++) { lines[i] = load_a(first, p + 4u * quarter + i, row + 4u * own); }
  lines = transpose(lines);
  for (var i = 0u; i < 4u; i++) { set_a(4u * own + i, quarter, lines[i]); }
}

// The same steps of the columns from `column` on.
fn fill_b(first: u32, column: u32, p: u32, local_index: u32) {
  if (!TRANSPOSE_B) {
    for (var f = local_index; f < STEP * COLUMN_GROUPS; f += INVOCATIONS) {
      let group = f % COLUMN_GROUPS;
      set_b(f / COLUMN_GROUPS, group, load_b(first, p + f / COLUMN_GROUPS, column + 4u * group));
    }
    return;
  }
  let quarter = local_index % STEP_GROUPS;
  let group = local_index / STEP_GROUPS;
  var lines: mat4x4f;
  for (var i = 0u; i < 4u; i++) { lines[i] = load_b(first, column + 4u * group + i, p + 4u * quarter); }
  lines = transpose(lines);
  for (var i = 0u; i < 4u; i++) { set_b(4u * quarter + i, group, lines[i]); }
}

fn add_products(sums: ptr<function, Sums>, tile: Tile, local_id: vec3u, local_index: u32) {
  let steps = steps_of_part(params.k, tile.part, params.parts);
  for (var step = steps.first; step < steps.end; step++) {
    fill_a(tile.matrix * params.a_batch, tile.row, step * STEP, local_index);
    fill_b(tile.matrix * params.b_batch, tile.column, step * STEP, local_index);
    workgroupBarrier();
    multiply_tiles(sums, local_id);
    workgroupBarrier();
  }
}

// The number in out of the first element of a row.
fn row_in_out(tile: Tile, row: u32) -> u32 {
  return ((tile.part * params.batch + tile.matrix) * params.m + row) * params.n;
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_id) local_id: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let tile = tile_of(workgroup_id, num_workgroups);
  var sums: Sums;
  add_products(&sums, tile, local_id, local_index);
  for (var i = 0u; i < OWN_ROWS; i++) {
    let row = tile.row + own_row(local_id, i);
    for (var j = 0u; j < 2u; j++) {
      let column = tile.column + 4u * own_group(local_id, j);
      if (row < params.m && column < params.n) {
        out[(row_in_out(tile, row) + column) / 4u] = vec4<O>(sums[2u * i + j]);
      }
    }
  }
}

@compute @workgroup_size(SIDE, SIDE)
fn ragged(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_id) local_id: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let tile = tile_of(workgroup_id, num_workgroups);
  var sums: Sums;
  add_products(&sums, tile, local_id, local_index);
  for (var i = 0u; i < OWN_ROWS; i++) {
    let row = tile.row + own_row(local_id, i);
    for (var j = 0u; j < 2u; j++) {
      let column = tile.column + 4u * own_group(local_id, j);
      for (var c = 0u; c < 4u; c++) {
        if (row < params.m && column + c < params.n) {
          out_scalars[row_in_out(tile, row) + column + c] = O(sums[2u * i + j][c]);
        }
      }
    }
  }
}
