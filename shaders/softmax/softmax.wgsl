// Softmax and its logarithm along one axis, and their gradients.
//
//   softmax:      y = e^(x - max) / s          dx = y * (dy - sum of dy * y)
//   log softmax:  y = x - max - log s          dx = dy - e^y * sum of dy           where s = sum of e^(x - max)
//
// Subtracting the maximum keeps e^x from overflowing. Rows that hold NaN or +infinity, or nothing but -infinity, become NaN.
//
// How rows are shared out, short ones and long ones, and which are held in registers: softmax/row.wgsl.
// Cost: forward reads x twice, or once if held, and writes y; backward reads y and dy twice, or once, and writes dx. Two
// exponentials an element forward.
//
// requires: softmax/row.wgsl

override LOG: bool = false;

struct Params {
  rows: u32,  // of vectors, if ACROSS
  count: u32, // vectors in a row
  inner: u32, // vectors from one of a row to its next
}

@group(0) @binding(0) var<storage, read> x: array<S>;
@group(0) @binding(1) var<storage, read> y: array<S>;
@group(0) @binding(2) var<storage, read> dy: array<S>;
@group(0) @binding(3) var<storage, read_write> out: array<S>;
@group(0) @binding(4) var<uniform> params: Params;

// Of a row whose elements are `shifted` below its maximum.
fn result(shifted: V, scale: V, log_total: V) -> S {
  if (LOG) { return S(shifted - log_total); }
  return S(exp(shifted) * scale);
}

fn write_forward(part: Part, peak: Peak) {
  let scale = if_defined(1.0 / peak.total, peak);
  let log_total = if_defined(log(peak.total), peak);
  if (HELD > 0u) {
    for (var k = 0u; k < MOST_HELD; k++) {
      if (k < HELD) { out[part.first + k * part.step] = result(held[k], scale, log_total); }
    }
    return;
  }
  for (var i = part.first; i < part.end; i += part.step) {
    out[i] = result(V(x[i]) - peak.largest, scale, log_total);
  }
}

@compute @workgroup_size(WORKGROUP)
fn forward_short(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.rows);
  for (var row = span.first; row < span.end; row += WORKGROUP) {
    let part = part_of(row, 0u, 1u);
    write_forward(part, peak_of_row(part));
  }
}

@compute @workgroup_size(TREE_SIZE)
fn forward_long(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) member: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups);
  if (row >= params.rows) { return; }
  let part = part_of(row, member, TREE_SIZE);
  write_forward(part, peak_of_team(part, member));
}

// What vector i adds to the sum of its row.
fn term(i: u32) -> V {
  if (LOG) { return V(dy[i]); }
  return V(dy[i]) * V(y[i]);
}

fn sum_of_part(part: Part) -> V {
  var total = V(0.0);
  for (var begin = part.first; begin < part.end; begin += RUN * part.step) {
    let end = min(begin + RUN * part.step, part.end);
    var run = V(0.0);
    for (var i = begin; i < end; i += part.step) { run += term(i); }
    total += run;
  }
  return total;
}

fn slope_of(value: V, slope: V, total: V) -> V {
  if (!LOG) { return value * (slope - total); }
  let is_number = (bitcast<U>(value) & U(0x7fffffffu)) <= U(EXPONENT_BITS);
  return slope - select(value, exp(value), is_number) * total;
}

fn write_backward(part: Part, total: V) {
  for (var i = part.first; i < part.end; i += part.step) { out[i] = S(slope_of(V(y[i]), V(dy[i]), total)); }
}

fn backward_held(part: Part) {
  var values: array<V, MOST_HELD>;
  var slopes: array<V, MOST_HELD>;
  var total = V(0.0);
  for (var k = 0u; k < MOST_HELD; k++) {
    if (k < HELD) {
      let i = part.first + k * part.step;
      values[k] = V(y[i]);
      slopes[k] = V(dy[i]);
      if (LOG) { total += slopes[k]; } else { total += slopes[k] * values[k]; }
    }
  }
  total = own_sum(total);
  for (var k = 0u; k < MOST_HELD; k++) {
    if (k < HELD) { out[part.first + k * part.step] = S(slope_of(values[k], slopes[k], total)); }
  }
}

@compute @workgroup_size(WORKGROUP)
fn backward_short(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.rows);
  for (var row = span.first; row < span.end; row += WORKGROUP) {
    let part = part_of(row, 0u, 1u);
    if (HELD > 0u) { backward_held(part); } else { write_backward(part, own_sum(sum_of_part(part))); }
  }
}

@compute @workgroup_size(TREE_SIZE)
fn backward_long(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) member: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups);
  if (row >= params.rows) { return; }
  let part = part_of(row, member, TREE_SIZE);
  write_backward(part, team_sum(sum_of_part(part), member));
}
