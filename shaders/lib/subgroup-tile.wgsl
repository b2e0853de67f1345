// The inner step of the matrix products that run on subgroups of 8: matmul, convolution and its two gradients.
//
//   acc[r, c] += sum over k = 0..3 of a[r, k] b[k, c]
//
// One subgroup makes a tile of 32 rows and 16 or 32 columns. Each value of a and of b is loaded by one lane only; the lane keeps
// the sums of its 4 rows and hears the values of b from the other lanes by shuffles. A load costs a software adapter as
// much as 100 multiplications, a shuffle next to nothing, so this is where its speed comes from.
// All loops over registers are written out, or short and of constant length: an index that is not constant
// after compiling would put the registers into memory.
//
// After the sum: a store of a vec4 takes llvmpipe 30 ms to compile, and a loop over acc[8 p + q] is unrolled into 32 of them, which is
// two thirds of the time that the whole kernel takes. So a kernel copies the sums into a second array, which does go to memory,
// and stores them from there, in loops that begin at a number that the compiler does not know:
//
//   var sums = acc;
//   var row_sums = 0u;
//   for (var row = first row of the lane; row < end of its rows; row += ...) {
//     for (var q = group; q < min(group + COLUMN_GROUPS, groups); q++) { store sums[row_sums + q - group]; }
//     row_sums += ROW_SUMS;
//   }

const LANES = 8u;
const ROWS_PER_LANE = 4u;
const TILE_ROWS = LANES * ROWS_PER_LANE;

// Columns of the tile in groups of 4: 8 (32 columns), or 4 (16 columns) where there are not more.
override COLUMN_GROUPS: u32 = 8u;

// The lane's sums: row p, column group q at [ROW_SUMS p + q].
alias Tile = array<vec4f, 32>;
const ROW_SUMS = 8u;

// What a lane holds of 4 rows of b, one of two layouts.
//   By columns: vec4s along a row of b. Vector j of lane l is number f = 8 j + l: row f / COLUMN_GROUPS, group f % COLUMN_GROUPS.
//   By rows: vec4s along k, for a b that is stored transposed. Vector j of lane l belongs to column 8 j + l.
// Either way COLUMN_GROUPS / 2 vectors are used.
alias Columns = array<vec4f, 4>;

// Row k, column group q of b that is held by columns.
fn by_columns(b: Columns, k: u32, q: u32) -> vec4f {
  let f = k * COLUMN_GROUPS + q;
  return subgroupShuffle(b[f / LANES], f % LANES);
}

// Row k, column group q of b that is held by rows.
fn by_rows(b: Columns, k: u32, q: u32) -> vec4f {
  let j = q / 2u;
  let lane = 4u * (q % 2u);
  let value = b[j][k];
  return vec4f(
    subgroupShuffle(value, lane),
    subgroupShuffle(value, lane + 1u),
    subgroupShuffle(value, lane + 2u),
    subgroupShuffle(value, lane + 3u),
  );
}

// The lane's 4 rows of a, each a vec4 over k.
struct Rows { r0: vec4f, r1: vec4f, r2: vec4f, r3: vec4f }

// acc[p, q] += a[p] b for one step of k.
fn add_step(acc: ptr<function, Tile>, q: u32, a: vec4f, b: vec4f) {
  (*acc)[q] = fma(vec4f(a.x), b, (*acc)[q]);
  (*acc)[8u + q] = fma(vec4f(a.y), b, (*acc)[8u + q]);
  (*acc)[16u + q] = fma(vec4f(a.z), b, (*acc)[16u + q]);
  (*acc)[24u + q] = fma(vec4f(a.w), b, (*acc)[24u + q]);
}

fn add_by_columns(acc: ptr<function, Tile>, q: u32, a: Rows, b: Columns) {
  add_step(acc, q, vec4f(a.r0.x, a.r1.x, a.r2.x, a.r3.x), by_columns(b, 0u, q));
  add_step(acc, q, vec4f(a.r0.y, a.r1.y, a.r2.y, a.r3.y), by_columns(b, 1u, q));
  add_step(acc, q, vec4f(a.r0.z, a.r1.z, a.r2.z, a.r3.z), by_columns(b, 2u, q));
  add_step(acc, q, vec4f(a.r0.w, a.r1.w, a.r2.w, a.r3.w), by_columns(b, 3u, q));
}

fn add_by_rows(acc: ptr<function, Tile>, q: u32, a: Rows, b: Columns) {
  add_step(acc, q, vec4f(a.r0.x, a.r1.x, a.r2.x, a.r3.x), by_rows(b, 0u, q));
  add_step(acc, q, vec4f(a.r0.y, a.r1.y, a.r2.y, a.r3.y), by_rows(b, 1u, q));
  add_step(acc, q, vec4f(a.r0.z, a.r1.z, a.r2.z, a.r3.z), by_rows(b, 2u, q));
  add_step(acc, q, vec4f(a.r0.w, a.r1.w, a.r2.w, a.r3.w), by_rows(b, 3u, q));
}

// acc += a b for b held by columns.
fn multiply_by_columns(acc: ptr<function, Tile>, a: Rows, b: Columns) {
  add_by_columns(acc, 0u, a, b);
  add_by_columns(acc, 1u, a, b);
  add_by_columns(acc, 2u, a, b);
  add_by_columns(acc, 3u, a, b);
  if (COLUMN_GROUPS > 4u) {
    add_by_columns(acc, 4u, a, b);
    add_by_columns(acc, 5u, a, b);
    add_by_columns(acc, 6u, a, b);
    add_by_columns(acc, 7u, a, b);
  }
}

// acc += a b for b held by rows.
fn multiply_by_rows(acc: ptr<function, Tile>, a: Rows, b: Columns) {
  add_by_rows(acc, 0u, a, b);
  add_by_rows(acc, 1u, a, b);
  add_by_rows(acc, 2u, a, b);
  add_by_rows(acc, 3u, a, b);
  if (COLUMN_GROUPS > 4u) {
    add_by_rows(acc, 4u, a, b);
    add_by_rows(acc, 5u, a, b);
    add_by_rows(acc, 6u, a, b);
    add_by_rows(acc, 7u, a, b);
  }
}
