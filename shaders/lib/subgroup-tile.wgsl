// The inner step of the matrix products that run on subgroups of 8: matmul, convolution and its two gradients.
//
//   acc[r, c] += sum over k = 0..3 of a[r, k] b[k, c]
//
// One subgroup makes a tile of 32 rows and 16 or 32 columns. Each value of a and of b is loaded by one lane only; the lane keeps
// the sums of its 4 rows and hears the values of b from the other lanes by shuffles. A load costs a software adapter as
// much as 100 multiplications, a shuffle next to nothing, so this is where its speed comes from.
// All loops over registers are written out, or short and of constant length: an index that is not constant
// after compiling would put the registers into memory.

const LANES = 8u;
const ROWS_PER_LANE = 4u;
const TILE_ROWS = LANES * ROWS_PER_LANE;

// Columns of the tile in groups of 4: 8 (32 columns), or 4 (16 columns) where there are not more.
override COLUMN_GROUPS: u32 = 8u;

// The lane's sums: row p, column group q at [8 p + q].
alias Tile = array<vec4f, 32>;

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

// sum + a[0] b0 + a[1] b1 + a[2] b2 + a[3] b3. A product with a mat4x4f would do, but compilers do not contract it to fma.
fn dot4(a: vec4f, b0: vec4f, b1: vec4f, b2: vec4f, b3: vec4f, sum: vec4f) -> vec4f {
  return fma(vec4f(a.w), b3, fma(vec4f(a.z), b2, fma(vec4f(a.y), b1, fma(vec4f(a.x), b0, sum))));
}

fn by_columns_group(b: Columns, q: u32, a: vec4f, sum: vec4f) -> vec4f {
  return dot4(a, by_columns(b, 0u, q), by_columns(b, 1u, q), by_columns(b, 2u, q), by_columns(b, 3u, q), sum);
}

fn by_rows_group(b: Columns, q: u32, a: vec4f, sum: vec4f) -> vec4f {
  return dot4(a, by_rows(b, 0u, q), by_rows(b, 1u, q), by_rows(b, 2u, q), by_rows(b, 3u, q), sum);
}

// Adds the products of the lane's row p of a, a vec4 over k, with all of b, held by columns.
fn multiply_by_columns(acc: ptr<function, Tile>, p: u32, a: vec4f, b: Columns) {
  let at = 8u * p;
  (*acc)[at] = by_columns_group(b, 0u, a, (*acc)[at]);
  (*acc)[at + 1u] = by_columns_group(b, 1u, a, (*acc)[at + 1u]);
  (*acc)[at + 2u] = by_columns_group(b, 2u, a, (*acc)[at + 2u]);
  (*acc)[at + 3u] = by_columns_group(b, 3u, a, (*acc)[at + 3u]);
  if (COLUMN_GROUPS > 4u) {
    (*acc)[at + 4u] = by_columns_group(b, 4u, a, (*acc)[at + 4u]);
    (*acc)[at + 5u] = by_columns_group(b, 5u, a, (*acc)[at + 5u]);
    (*acc)[at + 6u] = by_columns_group(b, 6u, a, (*acc)[at + 6u]);
    (*acc)[at + 7u] = by_columns_group(b, 7u, a, (*acc)[at + 7u]);
  }
}

// The same for b held by rows.
fn multiply_by_rows(acc: ptr<function, Tile>, p: u32, a: vec4f, b: Columns) {
  let at = 8u * p;
  (*acc)[at] = by_rows_group(b, 0u, a, (*acc)[at]);
  (*acc)[at + 1u] = by_rows_group(b, 1u, a, (*acc)[at + 1u]);
  (*acc)[at + 2u] = by_rows_group(b, 2u, a, (*acc)[at + 2u]);
  (*acc)[at + 3u] = by_rows_group(b, 3u, a, (*acc)[at + 3u]);
  if (COLUMN_GROUPS > 4u) {
    (*acc)[at + 4u] = by_rows_group(b, 4u, a, (*acc)[at + 4u]);
    (*acc)[at + 5u] = by_rows_group(b, 5u, a, (*acc)[at + 5u]);
    (*acc)[at + 6u] = by_rows_group(b, 6u, a, (*acc)[at + 6u]);
    (*acc)[at + 7u] = by_rows_group(b, 7u, a, (*acc)[at + 7u]);
  }
}
