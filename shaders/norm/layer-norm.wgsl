// Layer normalisation: every row is shifted and scaled to mean 0 and variance 1, then element by element to bias and
// weight.
//
//   forward   y[r, i] = (x[r, i] - mean[r]) * s[r] * weight[i] + bias[i],     s = 1 / sqrt(variance + eps)
//   input     dx[r, i] = s[r] * (g - mean of g - xhat * mean of g * xhat),
//             with xhat = (x - mean) * s and g = dy * weight
//   weights   each slice of a column: sum of dy * xhat, which dweight is made of, and sum of dy, for dbias
//
// The moments of a row are (pivot, offset, s, 0): the pivot is its first element, pivot + offset its mean, so that x -
// pivot loses no digits and a mean far from 0 costs none. The variance is the mean square of x - pivot less the square of
// the offset; where the offset is more than 8 deviations, that would cost digits, and where many invocations share the
// row, it takes a second pass over the row, which is in the cache by then.
//
// One invocation makes VECTORS rows, WORKGROUP apart, or with SHARED a workgroup makes one. One invocation of weights makes a slice of 4 columns (or
// 1, where the width is no multiple of 4: then the aliases become scalars). Cost: forward reads x twice, or three times,
// once from memory, and writes y; input reads x and dy twice and writes dx; weights reads both once. Source: Ba, Kiros
// and Hinton, arXiv 1607.06450.
//
// requires: lib/vectors.wgsl, lib/column-slices.wgsl, lib/workgroup-tree.wgsl, lib/nan.wgsl

alias S = vec4<f32>; // elements in memory
alias V = vec4<f32>; // what is computed with

const FAR = 64.0; // deviations, squared

override LANES: f32 = 4.0; // elements in a V
override SHARED: bool = false; // then WORKGROUP is TREE_SIZE
override WEIGHT: bool = true;
override BIAS: bool = true;

struct Params {
  rows: u32,
  columns: u32, // vectors in a row
  group: u32,
  rows_per_group: u32,
  slices: u32, // of each column
  width: f32,  // elements in a row
  eps: f32,
}

@group(0) @binding(0) var<storage, read> x: array<S>;  // [rows, columns]
@group(0) @binding(1) var<storage, read> dy: array<S>; // [rows, columns]
@group(0) @binding(2) var<storage, read> weight: array<V>; // [columns]
@group(0) @binding(3) var<storage, read> bias: array<V>;   // [columns]
@group(0) @binding(4) var<storage, read_write> y: array<S>;  // [rows, columns]
@group(0) @binding(5) var<storage, read_write> dx: array<S>; // [rows, columns]
@group(0) @binding(6) var<storage, read_write> moments_out: array<vec4f>; // [rows]
@group(0) @binding(7) var<storage, read> moments: array<vec4f>;
@group(0) @binding(8) var<storage, read_write> dweight: array<V>; // [slices, columns]
@group(0) @binding(9) var<storage, read_write> dbias: array<V>;   // [slices, columns]
@group(0) @binding(10) var<uniform> params: Params;

// The vectors that one invocation goes through of its row number k; none, if there is no such row.
struct Part {
  row: u32,
  first: u32,
  end: u32,
  step: u32,
}

fn part_of(workgroup: u32, local_index: u32, k: u32) -> Part {
  let row = select((workgroup * VECTORS + k) * WORKGROUP + local_index, workgroup, SHARED);
  if (row >= params.rows) { return Part(row, 0u, 0u, 1u); }
  let first = row * params.columns;
  let end = first + params.columns;
  if (SHARED) { return Part(row, first + local_index, end, WORKGROUP); }
  return Part(row, first, end, 1u);
}

// The sum over the elements of v.
fn own_sum(v: V) -> f32 {
  return LANES * dot(vec4f(v), vec4f(0.25)); // a scalar v is repeated by vec4f
}

// The same over all invocations that share the row.
fn row_sum(v: V, local_index: u32) -> f32 {
  if (!SHARED) { return own_sum(v); }
  return tree_sum(own_sum(v), local_index);
}

fn weighted(v: V, column: u32) -> V {
  if (!WEIGHT) { return v; }
  return v * weight[column];
}

fn forward_row(part: Part, local_index: u32) {
  let start = min(part.row, params.rows - 1u) * params.columns;
  let front = V(x[start]);
  let pivot = vec4f(front).x;
  var total = V(0.0);
  var squares = V(0.0);
  var i_next = part.first;
  if (!SHARED) { // the front is the invocation's own first vector
    total = front - pivot;
    squares = total * total;
    i_next += 1u;
  }
  for (var i = i_next; i < part.end; i += part.step) {
    let distance = V(x[i]) - pivot;
    total += distance;
    squares = fma(distance, distance, squares);
  }
  let offset = row_sum(total, local_index) / params.width;
  let variance = own_sum(squares) / params.width - offset * offset;
  let again = SHARED || offset * offset > FAR * variance;
  squares = V(0.0);
  for (var i = part.first; again && i < part.end; i += part.step) {
    let distance = (V(x[i]) - pivot) - offset;
    squares = fma(distance, distance, squares);
  }
  let exact = row_sum(squares, local_index) / params.width;
  let scale = 1.0 / sqrt(select(variance, exact, again) + params.eps);
  for (var i = part.first; i < part.end; i += part.step) {
    var value = weighted(((V(x[i]) - pivot) - offset) * scale, i - start);
    if (BIAS) { value += bias[i - start]; }
    y[i] = S(value);
  }
  if (part.first == start && part.end > start) { moments_out[part.row] = vec4f(pivot, offset, scale, 0.0); }
}

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, num_workgroups);
  for (var k = 0u; k < VECTORS; k++) { forward_row(part_of(workgroup, local_index, k), local_index); }
}

fn normal(i: u32, row_moments: vec4f) -> V {
  return ((V(x[i]) - row_moments.x) - row_moments.y) * row_moments.z;
}

fn input_row(part: Part, local_index: u32) {
  let start = min(part.row, params.rows - 1u) * params.columns;
  let row_moments = moments[min(part.row, params.rows - 1u)];
  var total = V(0.0);
  var product = V(0.0);
  for (var i = part.first; i < part.end; i += part.step) {
    let slope = weighted(V(dy[i]), i - start);
    total += slope;
    product = fma(slope, normal(i, row_moments), product);
  }
  let mean_slope = row_sum(total, local_index) / params.width;
  let mean_product = row_sum(product, local_index) / params.width;
  for (var i = part.first; i < part.end; i += part.step) {
    let slope = weighted(V(dy[i]), i - start);
    dx[i] = S(row_moments.z * ((slope - mean_slope) - normal(i, row_moments) * mean_product));
  }
}

@compute @workgroup_size(WORKGROUP)
fn input(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, num_workgroups);
  for (var k = 0u; k < VECTORS; k++) { input_row(part_of(workgroup, local_index, k), local_index); }
}

@compute @workgroup_size(WORKGROUP)
fn weights(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let part = slice_of(index, params.rows, params.columns, params.group, params.rows_per_group);
  if (part.slice >= params.slices) { return; }
  var total = V(0.0);
  var product = V(0.0);
  for (var row = part.first; row < part.end; row += part.step) {
    let i = row * params.columns + part.column;
    let slope = V(dy[i]);
    total += slope;
    product = fma(slope, normal(i, moments[row]), product);
  }
  dweight[index] = product;
  dbias[index] = total;
}
