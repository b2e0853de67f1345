enable subgroups;

// Matrix product on subgroups of 8 of matrices that are packed in the order in which they are read, as BLAS libraries do it.
//
//   out[b, first + i, j] = sum over p of a[b, i, p] b[b, p, j] + bias[j]
//
// One subgroup, which is a whole workgroup, makes 32 x 32 elements, 4 steps of k at a time: lib/subgroup-tile.wgsl. For these
// it needs 32 rows of a and 32 columns of b, 4 long: 32 vec4s of each, which lie together, those of one lane 8 apart: 4
// neighbouring rows or columns, 4 long, which the lane turns round where it must. How they come there: pack.wgsl. The next 32 vec4s are the next 4 steps of k; all steps of one tile make a block.
// subgroup.wgsl computes the same from matrices as they are. There rows of 4 KiB and their multiples compete for the same few
// places of the first cache, and a tile reads from 32 pages of memory at a time.
// Rows and columns that fill up the last tile are computed from whatever is there, and not stored.
// n is a multiple of 4.
// Cost: 2 m n k flops; a is read n / 32 times, b m / 32 times, always forwards.
// Source: Goto and van de Geijn, Anatomy of high-performance matrix multiplication (2008).
//
// requires: lib/grid.wgsl
// requires: lib/subgroup-tile.wgsl

alias T = f32; // storage of a, b and bias; sums are f32
alias O = f32; // storage of out
alias V = vec4<T>;

override BIAS: bool = false;

struct Params {
  m: u32,
  n: u32,
  steps: u32,   // of 4 along k
  a_batch: u32, // blocks from one matrix to the next; 0 where all share one
  b_batch: u32,
  batch: u32, // matrices of out, one for each workgroup_id.z
  first: u32, // row of out that the result begins at
  // Which way vec4s lie: uniforms, not overrides, because turning costs next to nothing and one more pipeline a third of a second.
  a_across: u32, // 1: those of a lie along m, not along k
  b_across: u32, // 1: those of b lie along n
}

@group(0) @binding(0) var<storage, read> a: array<V>;         // [batch, m / 32, steps, 32]
@group(0) @binding(1) var<storage, read> b: array<V>;         // [batch, n / 32, steps, 32]
@group(0) @binding(2) var<storage, read> bias: array<V>;      // [n]; without BIAS anything
@group(0) @binding(3) var<storage, read_write> out: array<vec4<O>>; // [batch, m, n]
@group(0) @binding(4) var<uniform> params: Params;

const STEP = 32u; // vec4s of a and of b for 4 steps of k

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let groups = params.n / 4u;
  let tiles = (groups + COLUMN_GROUPS - 1u) / COLUMN_GROUPS;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let tile_row = tile / tiles;
  let tile_column = tile - tile_row * tiles;
  if (tile_row * TILE_ROWS >= params.m) { return; }
  let block = params.steps * STEP;
  var a_at = (workgroup_id.z * params.a_batch + tile_row) * block + lane;
  var b_at = (workgroup_id.z * params.b_batch + tile_column) * block + lane;
  var acc: Tile;
  for (var step = 0u; step < params.steps; step++) {
    var columns = mat4x4f(
      vec4f(b[b_at]),
      vec4f(b[b_at + LANES]),
      vec4f(b[b_at + 2u * LANES]),
      vec4f(b[b_at + 3u * LANES]),
    );
    var rows = mat4x4f(
      vec4f(a[a_at]),
      vec4f(a[a_at + LANES]),
      vec4f(a[a_at + 2u * LANES]),
      vec4f(a[a_at + 3u * LANES]),
    );
    if (params.b_across == 0u) { columns = transpose(columns); }
    if (params.a_across != 0u) { rows = transpose(rows); }
    multiply_by_columns(
      &acc,
      Rows(rows[0], rows[1], rows[2], rows[3]),
      Columns(columns[0], columns[1], columns[2], columns[3]),
    );
    a_at += STEP;
    b_at += STEP;
  }
  let group = tile_column * COLUMN_GROUPS;
  let own = tile_row * TILE_ROWS + ROWS_PER_LANE * lane;
  var sums = acc; // see lib/subgroup-tile.wgsl
  var row_sums = 0u;
  for (var row = own; row < min(own + ROWS_PER_LANE, params.m); row++) {
    let at = (workgroup_id.z * params.m + params.first + row) * groups;
    for (var q = group; q < min(group + COLUMN_GROUPS, groups); q++) {
      var sum = sums[row_sums + q - group];
      if (BIAS) { sum += vec4f(bias[q]); }
      out[at + q] = vec4<O>(sum);
    }
    row_sums += ROW_SUMS;
  }
}
