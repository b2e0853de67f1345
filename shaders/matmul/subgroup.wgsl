enable subgroups;

// Matrix product on subgroups of 8, for sizes that are multiples of 4 along every axis that is stored contiguously, and k.
//
//   out[b, i, j] = sum over p of a[b, i, p] b[b, p, j]
//
// One subgroup, which is a whole workgroup, makes 32 x 32 elements (or 32 x 16), 4 steps of k at a time. Each lane
// loads 4 vec4s of a, for its own 4 rows, and 4 (or 2) of b, which all lanes share by shuffles: lib/subgroup-tile.wgsl.
// Rows and columns past the end are loaded from the last ones and not stored.
// Cost: 2 m n k flops; a is read n / 32 times, b m / 32 times. The variant for llvmpipe, whose subgroups are the 8 lanes of an
// AVX register.
//
// requires: lib/grid.wgsl
// requires: matmul/params.wgsl
// requires: lib/subgroup-tile.wgsl

alias T = f32; // storage; sums are f32
alias V = vec4<T>;

override TRANSPOSE_A: bool = false; // a is stored [k, m]
override TRANSPOSE_B: bool = false; // b is stored [n, k]

@group(0) @binding(0) var<storage, read> a: array<V>;        // [batch, m, k]
@group(0) @binding(1) var<storage, read> b: array<V>;        // [batch, k, n]
@group(0) @binding(2) var<storage, read_write> out: array<V>; // [batch, m, n]
@group(0) @binding(3) var<uniform> params: Params;

// Where the lane's vec4s of a are for the first 4 steps of k.
fn a_places(first: u32, row: u32, lane: u32) -> vec4u {
  if (TRANSPOSE_A) {
    let step = params.m / 4u;
    return first + min(row / 4u + lane, step - 1u) + vec4u(0u, step, 2u * step, 3u * step);
  }
  let rows = row + lane + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
  return first + min(rows, vec4u(params.m - 1u)) * (params.k / 4u);
}

// Where vector j of the lane is for the first 4 steps of k: see Columns.
fn b_place(first: u32, group: u32, lane: u32, j: u32) -> u32 {
  let f = j * LANES + lane;
  if (TRANSPOSE_B) {
    return first + min(group * 4u + f, params.n - 1u) * (params.k / 4u);
  }
  let step = params.n / 4u;
  return first + f / COLUMN_GROUPS * step + min(group + f % COLUMN_GROUPS, step - 1u);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let groups = params.n / 4u;
  let tiles = (groups + COLUMN_GROUPS - 1u) / COLUMN_GROUPS;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let row = tile / tiles * TILE_ROWS;
  let group = tile % tiles * COLUMN_GROUPS;
  if (row >= params.m) { return; }
  let b_first = workgroup_id.z * params.b_batch / 4u;
  var a_at = a_places(workgroup_id.z * params.a_batch / 4u, row, lane);
  var b_at = vec4u(
    b_place(b_first, group, lane, 0u),
    b_place(b_first, group, lane, 1u),
    b_place(b_first, group, lane, 2u),
    b_place(b_first, group, lane, 3u),
  );
  let a_step = select(1u, params.m, TRANSPOSE_A);
  let b_step = select(params.n, 1u, TRANSPOSE_B);
  var acc: Tile;
  for (var p = 0u; p < params.k / 4u; p++) {
    var columns: Columns;
    columns[0] = vec4f(b[b_at.x]);
    columns[1] = vec4f(b[b_at.y]);
    if (COLUMN_GROUPS > 4u) {
      columns[2] = vec4f(b[b_at.z]);
      columns[3] = vec4f(b[b_at.w]);
    }
    var rows = mat4x4f(vec4f(a[a_at.x]), vec4f(a[a_at.y]), vec4f(a[a_at.z]), vec4f(a[a_at.w]));
    if (TRANSPOSE_A) { rows = transpose(rows); }
    if (TRANSPOSE_B) {
      multiply_by_rows(&acc, Rows(rows[0], rows[1], rows[2], rows[3]), columns);
    } else {
      multiply_by_columns(&acc, Rows(rows[0], rows[1], rows[2], rows[3]), columns);
    }
    a_at += a_step;
    b_at += b_step;
  }
  // The lane's rows are 8 apart, or 4 neighbours where they lie in one vec4.
  let end = min(params.m, row + select(TILE_ROWS, ROWS_PER_LANE * (lane + 1u), TRANSPOSE_A));
  var own = row + select(lane, ROWS_PER_LANE * lane, TRANSPOSE_A);
  var sums = acc; // see lib/subgroup-tile.wgsl
  var row_sums = 0u;
  for (; own < end; own += select(LANES, 1u, TRANSPOSE_A)) {
    let at = (workgroup_id.z * params.m + own) * groups;
    for (var q = group; q < min(group + COLUMN_GROUPS, groups); q++) {
      out[at + q] = V(sums[row_sums + q - group]);
    }
    row_sums += ROW_SUMS;
  }
}
