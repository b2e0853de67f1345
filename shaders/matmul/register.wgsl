// Matrix product in registers, for sizes that are multiples of 4 along every axis that is stored contiguously, and k.
//
//   out[b, i, j] = sum over p of a[b, i, p] b[b, p, j]
//
// One invocation makes 4 x 4 elements: for each 4 steps of k it loads 4 vec4s of a and 4 of b and makes 64 multiplications of
// them. A transposed operand is turned round in registers. Rows past the end are loaded from the last row and not stored.
// Cost: 2 m n k flops; a is read n / 4 times, b m / 4 times, from the cache. The variant for software adapters without
// subgroups of 8: there a vec4 costs as much to load as a single number, and workgroup memory no less.
//
// requires: lib/grid.wgsl
// requires: matmul/params.wgsl

alias T = f32; // storage; sums are f32
alias V = vec4<T>;

const OWN = 4u;   // rows and columns of an invocation
const SIDE = 8u;  // invocations of a workgroup in each direction
const TILE = 32u; // OWN * SIDE

override TRANSPOSE_A: bool = false; // a is stored [k, m]
override TRANSPOSE_B: bool = false; // b is stored [n, k]

@group(0) @binding(0) var<storage, read> a: array<V>;        // [batch, m, k]
@group(0) @binding(1) var<storage, read> b: array<V>;        // [batch, k, n]
@group(0) @binding(2) var<storage, read_write> out: array<V>; // [batch, m, n]
@group(0) @binding(3) var<uniform> params: Params;

// 4 rows of a, each over 4 steps of k from 4 p on.
fn load_a(first: u32, row: u32, p: u32) -> mat4x4f {
  if (TRANSPOSE_A) {
    let step = params.m / 4u;
    let at = first + p * 4u * step + min(row, params.m - 4u) / 4u;
    return transpose(mat4x4f(vec4f(a[at]), vec4f(a[at + step]), vec4f(a[at + 2u * step]), vec4f(a[at + 3u * step])));
  }
  let step = params.k / 4u;
  let last = params.m - 1u;
  let at = first + p;
  return mat4x4f(
    vec4f(a[at + min(row, last) * step]),
    vec4f(a[at + min(row + 1u, last) * step]),
    vec4f(a[at + min(row + 2u, last) * step]),
    vec4f(a[at + min(row + 3u, last) * step]),
  );
}

// 4 rows of b, each over 4 columns.
fn load_b(first: u32, p: u32, column: u32) -> mat4x4f {
  if (TRANSPOSE_B) {
    let step = params.k / 4u;
    let at = first + column * step + p;
    return transpose(mat4x4f(vec4f(b[at]), vec4f(b[at + step]), vec4f(b[at + 2u * step]), vec4f(b[at + 3u * step])));
  }
  let step = params.n / 4u;
  let at = first + p * 4u * step + column / 4u;
  return mat4x4f(vec4f(b[at]), vec4f(b[at + step]), vec4f(b[at + 2u * step]), vec4f(b[at + 3u * step]));
}

// A product of mat4x4f would do, but compilers do not contract it to fma.
fn multiply_row(row: vec4f, b: mat4x4f, sum: vec4f) -> vec4f {
  return fma(vec4f(row.w), b[3], fma(vec4f(row.z), b[2], fma(vec4f(row.y), b[1], fma(vec4f(row.x), b[0], sum))));
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_id) local_id: vec3u,
) {
  let tiles = (params.n + TILE - 1u) / TILE;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let row = tile / tiles * TILE + local_id.y * OWN;
  let column = tile % tiles * TILE + local_id.x * OWN;
  if (row >= params.m || column >= params.n) { return; }
  let a_first = workgroup_id.z * params.a_batch / 4u;
  let b_first = workgroup_id.z * params.b_batch / 4u;
  var sums: array<vec4f, OWN>;
  for (var p = 0u; p < params.k / 4u; p++) {
    let rows = load_a(a_first, row, p);
    let columns = load_b(b_first, p, column);
    sums[0] = multiply_row(rows[0], columns, sums[0]);
    sums[1] = multiply_row(rows[1], columns, sums[1]);
    sums[2] = multiply_row(rows[2], columns, sums[2]);
    sums[3] = multiply_row(rows[3], columns, sums[3]);
  }
  let step = params.n / 4u;
  let first = (workgroup_id.z * params.m + row) * step + column / 4u;
  for (var r = 0u; r < min(OWN, params.m - row); r++) {
    out[first + r * step] = V(sums[r]);
  }
}
