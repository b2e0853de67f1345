// Batch normalisation: every channel is shifted and scaled to mean 0 and variance 1, then to bias and weight.
//
//   y[r, c] = act((x[r, c] - mean[c]) / sqrt(variance[c] + eps) * weight[c] + bias[c] + residual[r, c])
//
// x is [rows, channels]: all axes but the last are rows. act is the identity or relu; the residual may be missing. The
// same kernel does all of it, because memory traffic is what limits.
//
//   statistics     each slice of a column of x: mean and sum of squared distances from it, in one pass, shifted by the
//                  first value of the slice, so that a mean far from 0 costs no digits
//   combine        the slices of a channel, by Chan's formula: the moments of the batch, and the running statistics,
//                    running = (1 - momentum) * running + momentum * batch, with variance * n / (n - 1)
//   running        the moments from running statistics
//   normalize_rows y
//
// The moments of a channel are five vectors: pivot and offset, whose sum is the mean (the pivot is a value near it, so
// x - pivot loses no digits and the offset is small); 1 / sqrt(variance + eps); that times weight; bias.
//
// One invocation of statistics and normalize_rows makes a slice of 4 channels (or 1, where their number is no multiple
// of 4: then the aliases become scalars); a team of TEAM invocations of combine makes 4 channels (or 1). Cost:
// statistics reads x, normalize_rows reads x and residual and writes y. About 3 flops an element each. Source: Ioffe
// and Szegedy, arXiv 1502.03167; Chan, Golub and LeVeque, Algorithms for computing the sample variance (1983).
//
// requires: lib/grid.wgsl, lib/column-slices.wgsl

alias S = vec4<f32>; // elements in memory
alias V = vec4<f32>; // what is computed with

const WORKGROUP = 64u;

override RELU: bool = false;
override RESIDUAL: bool = false;
override WEIGHT: bool = true;
override BIAS: bool = true;
// A GPU wants many; on a software adapter a tree costs more than it saves, above all to compile.
override TEAM: u32 = 64u;

struct Params {
  rows: u32,
  columns: u32, // vectors of channels
  group: u32,
  rows_per_group: u32,
  slices: u32, // of each column
  eps: f32,
  momentum: f32,
}

@group(0) @binding(0) var<storage, read> x: array<S>;        // [rows, columns]
@group(0) @binding(1) var<storage, read> residual: array<S>; // [rows, columns]
@group(0) @binding(2) var<storage, read_write> y: array<S>;  // [rows, columns]
@group(0) @binding(3) var<storage, read_write> partials_out: array<V>; // [slices, 2, columns]: mean - x[0], squares
@group(0) @binding(4) var<storage, read> partials: array<V>;
@group(0) @binding(5) var<storage, read_write> moments_out: array<V>; // [5, columns]
@group(0) @binding(6) var<storage, read> moments: array<V>;
@group(0) @binding(7) var<storage, read> weight: array<V>;
@group(0) @binding(8) var<storage, read> bias: array<V>;
@group(0) @binding(9) var<storage, read_write> running_mean: array<V>;
@group(0) @binding(10) var<storage, read_write> running_var: array<V>;
@group(0) @binding(11) var<uniform> params: Params;

fn slice_at(index: u32) -> Slice {
  return slice_of(index, params.rows, params.columns, params.group, params.rows_per_group);
}

@compute @workgroup_size(WORKGROUP)
fn statistics(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let part = slice_at(linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index);
  if (part.slice >= params.slices || part.first >= part.end) { return; }
  let shift = V(x[part.first * params.columns + part.column]);
  var total = V(0.0);
  var squares = V(0.0);
  for (var row = part.first + part.step; row < part.end; row += part.step) {
    let distance = V(x[row * params.columns + part.column]) - shift;
    total += distance;
    squares = fma(distance, distance, squares);
  }
  let mean = total / f32(rows_in(part));
  let at = 2u * part.slice * params.columns + part.column;
  partials_out[at] = (shift - V(x[part.column])) + mean;
  partials_out[at + params.columns] = squares - total * mean;
}

// Count, mean and sum of squared distances from the mean, of some of the rows.
struct Moments {
  count: f32,
  mean: V,
  squares: V,
}

var<workgroup> tree: array<Moments, WORKGROUP>;

fn joined(a: Moments, b: Moments) -> Moments {
  let count = a.count + b.count;
  let share = b.count / max(count, 1.0);
  let distance = b.mean - a.mean;
  return Moments(count, a.mean + distance * share, a.squares + b.squares + distance * distance * (a.count * share));
}

// The moments of every TEAM-th slice from `member` on.
fn moments_of_slices(column: u32, member: u32) -> Moments {
  var total = Moments(0.0, V(0.0), V(0.0));
  if (column >= params.columns) { return total; }
  for (var slice = member; slice < params.slices; slice += TEAM) {
    let count = rows_in(slice_at(slice * params.columns + column));
    if (count == 0u) { continue; }
    let at = 2u * slice * params.columns + column;
    total = joined(total, Moments(f32(count), partials[at], partials[at + params.columns]));
  }
  return total;
}

// The moments of a whole column; valid in the first member of the team.
fn moments_of_column(column: u32, local_index: u32) -> Moments {
  let member = local_index % TEAM;
  let own = moments_of_slices(column, member);
  if (TEAM == 1u) { return own; }
  tree[local_index] = own;
  for (var half = TEAM / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (member < half) { tree[local_index] = joined(tree[local_index], tree[local_index + half]); }
  }
  return tree[local_index];
}

fn leads_team(column: u32, local_index: u32) -> bool {
  return column < params.columns && local_index % TEAM == 0u;
}

fn write_moments(column: u32, pivot: V, offset: V, variance: V) {
  let scale = 1.0 / sqrt(variance + params.eps);
  var vectors = array<V, 5>(pivot, offset, scale, scale, V(0.0));
  if (WEIGHT) { vectors[3] = scale * weight[column]; }
  if (BIAS) { vectors[4] = bias[column]; }
  // One store, which is what takes llvmpipe longest to compile, in a loop that it cannot unroll.
  for (var at = column; at < 5u * params.columns; at += params.columns) {
    moments_out[at] = vectors[0];
    vectors = array<V, 5>(vectors[1], vectors[2], vectors[3], vectors[4], V(0.0));
  }
}

@compute @workgroup_size(WORKGROUP)
fn combine(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let column = (linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index) / TEAM;
  let batch = moments_of_column(column, local_index);
  if (!leads_team(column, local_index)) { return; }
  write_moments(column, V(x[column]), batch.mean, batch.squares / batch.count);
}

@compute @workgroup_size(WORKGROUP)
fn combine_and_track(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let column = (linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index) / TEAM;
  let batch = moments_of_column(column, local_index);
  if (!leads_team(column, local_index)) { return; }
  let pivot = V(x[column]);
  write_moments(column, pivot, batch.mean, batch.squares / batch.count);
  let keep = 1.0 - params.momentum;
  running_mean[column] = keep * running_mean[column] + params.momentum * (pivot + batch.mean);
  running_var[column] = keep * running_var[column] + params.momentum * (batch.squares / (batch.count - 1.0));
}

@compute @workgroup_size(WORKGROUP)
fn running(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let column = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (column < params.columns) { write_moments(column, running_mean[column], V(0.0), running_var[column]); }
}

@compute @workgroup_size(WORKGROUP)
fn normalize_rows(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let part = slice_at(linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index);
  if (part.slice >= params.slices) { return; }
  let pivot = moments[part.column];
  let offset = moments[params.columns + part.column];
  let scale = moments[3u * params.columns + part.column];
  let shift = moments[4u * params.columns + part.column];
  for (var row = part.first; row < part.end; row += part.step) {
    let i = row * params.columns + part.column;
    var value = fma((V(x[i]) - pivot) - offset, scale, shift);
    if (RESIDUAL) { value += V(residual[i]); }
    if (RELU) { value = select(value, V(0.0), value <= V(0.0)); }
    y[i] = S(value);
  }
}
