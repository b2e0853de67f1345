// Matrix product by tiles in workgroup memory: every size, every alignment, both operands transposed or not.
//
//   out[b, i, j] = sum over p of a[b, i, p] b[b, p, j]
//
// A workgroup of 16 x 16 makes 64 x 64 elements, an invocation 4 x 4 of them. For each 16 steps of k the workgroup loads 64 x 16
// of a and 16 x 64 of b once, zeros outside, and every invocation takes its 4 rows and 4 columns from there.
// Cost: 2 m n k flops; a is read n / 64 times, b m / 64 times; 8.1 KiB of workgroup memory. The variant for GPUs: on software
// adapters workgroup memory is slower than the cache (docs/rejected-experiments.md).
// Source: the blocking of Volkov and Demmel, Benchmarking GPUs to tune dense linear algebra (2008).
//
// requires: lib/grid.wgsl
// requires: matmul/params.wgsl

alias T = f32; // storage; sums are f32

const TILE = 64u;
const STEP = 16u;
const THREADS = 16u; // in each direction
const OWN = 4u;      // rows and columns of an invocation
const PITCH = 65u;   // one more than a tile, so that neighbours write to different banks
const WORDS = 1040u; // STEP * PITCH

override TRANSPOSE_A: bool = false; // a is stored [k, m]
override TRANSPOSE_B: bool = false; // b is stored [n, k]

@group(0) @binding(0) var<storage, read> a: array<T>;        // [batch, m, k]
@group(0) @binding(1) var<storage, read> b: array<T>;        // [batch, k, n]
@group(0) @binding(2) var<storage, read_write> out: array<T>; // [batch, m, n]
@group(0) @binding(3) var<uniform> params: Params;

var<workgroup> a_tile: array<f32, WORDS>; // [STEP, rows]
var<workgroup> b_tile: array<f32, WORDS>; // [STEP, columns]

// Element [row, p] of a, or zero outside.
fn load_a(first: u32, row: u32, p: u32) -> f32 {
  if (row >= params.m || p >= params.k) { return 0.0; }
  return f32(a[first + select(row * params.k + p, p * params.m + row, TRANSPOSE_A)]);
}

fn load_b(first: u32, p: u32, column: u32) -> f32 {
  if (column >= params.n || p >= params.k) { return 0.0; }
  return f32(b[first + select(p * params.n + column, column * params.k + p, TRANSPOSE_B)]);
}

// Neighbouring invocations load neighbouring elements, which lie along k or across it.
fn fill_tiles(a_first: u32, b_first: u32, row: u32, column: u32, p: u32, local_index: u32) {
  for (var i = local_index; i < TILE * STEP; i += THREADS * THREADS) {
    let a_at = select(vec2u(i / STEP, i % STEP), vec2u(i % TILE, i / TILE), TRANSPOSE_A);
    let b_at = select(vec2u(i % TILE, i / TILE), vec2u(i / STEP, i % STEP), TRANSPOSE_B);
    a_tile[a_at.y * PITCH + a_at.x] = load_a(a_first, row + a_at.x, p + a_at.y);
    b_tile[b_at.y * PITCH + b_at.x] = load_b(b_first, p + b_at.y, column + b_at.x);
  }
}

@compute @workgroup_size(THREADS, THREADS)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_id) local_id: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let tiles = (params.n + TILE - 1u) / TILE;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let row = tile / tiles * TILE;
  let column = tile % tiles * TILE;
  var sums: array<vec4f, OWN>;
  for (var p = 0u; p < params.k; p += STEP) {
    fill_tiles(workgroup_id.z * params.a_batch, workgroup_id.z * params.b_batch, row, column, p, local_index);
    workgroupBarrier();
    for (var q = 0u; q < STEP; q++) {
      let r = q * PITCH + local_id.y * OWN;
      let c = q * PITCH + local_id.x * OWN;
      let columns = vec4f(b_tile[c], b_tile[c + 1u], b_tile[c + 2u], b_tile[c + 3u]);
      sums[0] = fma(vec4f(a_tile[r]), columns, sums[0]);
      sums[1] = fma(vec4f(a_tile[r + 1u]), columns, sums[1]);
      sums[2] = fma(vec4f(a_tile[r + 2u]), columns, sums[2]);
      sums[3] = fma(vec4f(a_tile[r + 3u]), columns, sums[3]);
    }
    workgroupBarrier();
  }
  store(workgroup_id.z * params.m * params.n, row + local_id.y * OWN, column + local_id.x * OWN, sums);
}

fn store(first: u32, row: u32, column: u32, sums: array<vec4f, OWN>) {
  var rows = sums;
  for (var r = 0u; r < OWN; r++) {
    for (var c = 0u; c < OWN; c++) {
      if (row + r < params.m && column + c < params.n) {
        out[first + (row + r) * params.n + column + c] = T(rows[r][c]);
      }
    }
  }
}
