// Softmax and its logarithm along one axis, and their gradients.
//
//   softmax:      y = e^(x - max) / s          dx = y * (dy - sum of dy * y)
//   log softmax:  y = x - max - log s          dx = dy - e^y * sum of dy           where s = sum of e^(x - max)
//
// Subtracting the maximum keeps e^x from overflowing. Rows that hold NaN or +infinity, or nothing but -infinity, become NaN.
//
// A row is the `length` elements, `inner` apart, at one place of the other axes.
// short: one invocation makes a row. long: one workgroup makes a row.
// Cost: forward reads x three times and writes y, backward reads y and dy twice and writes dx; about 10 flops an element.
//
// requires: lib/grid.wgsl, lib/nan.wgsl, lib/make-nan.wgsl, lib/workgroup-tree.wgsl

alias T = f32;

const WORKGROUP = 64u;
const RUN = 32u;

override LOG: bool = false;

struct Params {
  rows: u32,
  length: u32,
  inner: u32,
}

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> y: array<T>;
@group(0) @binding(2) var<storage, read> dy: array<T>;
@group(0) @binding(3) var<storage, read_write> out: array<T>;
@group(0) @binding(4) var<uniform> params: Params;

fn first_of(row: u32) -> u32 {
  return row / params.inner * params.length * params.inner + row % params.inner;
}

// The part of a row that one of `team` invocations goes through: every team-th element from its own on.
struct Part {
  begin: u32,
  end: u32,
  step: u32,
}

fn part_of(row: u32, member: u32, team: u32) -> Part {
  let first = first_of(row);
  return Part(first + member * params.inner, first + params.length * params.inner, team * params.inner);
}

fn part_max(part: Part, first: u32) -> f32 {
  var largest = f32(x[first]);
  for (var i = part.begin; i < part.end; i += part.step) { largest = max_nan(largest, f32(x[i])); }
  return largest;
}

// Sums of sums of RUN terms: on top of one another, many small equal terms would all be rounded the same way.
fn part_sum(part: Part, largest: f32) -> f32 {
  var total = 0.0;
  for (var begin = part.begin; begin < part.end; begin += RUN * part.step) {
    let end = min(begin + RUN * part.step, part.end);
    var run = 0.0;
    for (var i = begin; i < end; i += part.step) { run += exp(f32(x[i]) - largest); }
    total += run;
  }
  return total;
}

fn write_forward(part: Part, largest: f32, total: f32) {
  let log_total = log(total);
  // Not left to arithmetic: some devices have e^NaN = infinity.
  let is_defined = is_finite(largest);
  for (var i = part.begin; i < part.end; i += part.step) {
    let shifted = f32(x[i]) - largest;
    var value = exp(shifted) / total;
    if (LOG) { value = shifted - log_total; }
    out[i] = T(select(nan_like(value), value, is_defined));
  }
}

@compute @workgroup_size(WORKGROUP)
fn forward_short(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (row >= params.rows) { return; }
  let part = part_of(row, 0u, 1u);
  let largest = part_max(part, part.begin);
  write_forward(part, largest, part_sum(part, largest));
}

@compute @workgroup_size(WORKGROUP)
fn forward_long(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups);
  if (row >= params.rows) { return; }
  let part = part_of(row, local_index, WORKGROUP);
  let largest = tree_max(part_max(part, first_of(row)), local_index);
  write_forward(part, largest, tree_sum(part_sum(part, largest), local_index));
}

fn part_dot(part: Part) -> f32 {
  var total = 0.0;
  for (var begin = part.begin; begin < part.end; begin += RUN * part.step) {
    let end = min(begin + RUN * part.step, part.end);
    var run = 0.0;
    for (var i = begin; i < end; i += part.step) {
      if (LOG) { run += f32(dy[i]); } else { run += f32(dy[i]) * f32(y[i]); }
    }
    total += run;
  }
  return total;
}

fn write_backward(part: Part, total: f32) {
  for (var i = part.begin; i < part.end; i += part.step) {
    let slope = f32(dy[i]);
    let value = f32(y[i]);
    if (LOG) {
      out[i] = T(slope - select(exp(value), value, is_nan(value)) * total);
    } else {
      out[i] = T(value * (slope - total));
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn backward_short(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (row >= params.rows) { return; }
  let part = part_of(row, 0u, 1u);
  write_backward(part, part_dot(part));
}

@compute @workgroup_size(WORKGROUP)
fn backward_long(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups);
  if (row >= params.rows) { return; }
  let part = part_of(row, local_index, WORKGROUP);
  write_backward(part, tree_sum(part_dot(part), local_index));
}
