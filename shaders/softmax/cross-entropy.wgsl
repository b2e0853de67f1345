// Cross-entropy of a softmax: forward, the reduction of the rows, and the gradient.
//
//   loss[n] = sum over c of q[c] * (log s - (x[n, c] - max)),   s = sum over c of e^(x[n, c] - max)
//   dx[n, c] = g * (Q * e^(x[n, c] - max) / s - q[c]),          Q = sum over c of q[c]
//
// q is the wanted distribution, smoothed by `smoothing` and weighted by class:
//   label y:        q[c] = weight[c] * ((1 - smoothing) * [c = y] + smoothing / classes)
//   probabilities:  q[c] = weight[c] * ((1 - smoothing) * p[n, c] + smoothing / classes)
// A label outside 0..classes-1 makes the row NaN, except `ignored`, which makes it 0; so do logits that hold NaN or +infinity,
// or nothing but -infinity.
//
// short: one invocation makes a row. long: one workgroup makes a row. total: one workgroup reduces all rows.
// Cost: forward reads x twice, backward reads x and writes dx; about 10 flops an element.
// Source: the definition in the documentation of torch.nn.CrossEntropyLoss.
//
// requires: lib/grid.wgsl, lib/nan.wgsl, lib/make-nan.wgsl, lib/workgroup-tree.wgsl

alias T = f32;

const WORKGROUP = 64u;
const RUN = 32u;

override PROBABILITIES: bool = false; // target holds probabilities, else labels
override WEIGHTED: bool = false;      // class_weights is there
override SMOOTH: bool = false;        // smoothing > 0

override REDUCTION: u32 = 0u;
const NONE = 0u;
const SUM = 1u;
const MEAN = 2u;

struct Params {
  rows: u32,
  classes: u32,
  ignored: u32, // bits of the label to ignore
  smoothing: f32,
}

@group(0) @binding(0) var<storage, read> x: array<T>;               // [rows, classes]
@group(0) @binding(1) var<storage, read> target_bits: array<u32>;   // [rows] labels, or [rows, classes] bits of f32
@group(0) @binding(2) var<storage, read> class_weights: array<f32>; // [classes]

// Of the forward pass, for the reduction and the gradient: [rows] each.
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> row_weights: array<f32>; // what a mean divides by, one summand a row
@group(0) @binding(5) var<storage, read_write> stats: array<vec4f>;     // max, s, Q, unused

@group(0) @binding(6) var<storage, read_write> loss: array<f32>;         // [1]
@group(0) @binding(7) var<storage, read_write> total_weight: array<f32>; // [1]

@group(0) @binding(8) var<storage, read> saved_stats: array<vec4f>;
@group(0) @binding(9) var<storage, read> saved_total_weight: array<f32>;
@group(0) @binding(10) var<storage, read> dy: array<f32>; // [rows] for NONE, else [1]
@group(0) @binding(11) var<storage, read_write> dx: array<T>;

@group(0) @binding(12) var<uniform> params: Params;

fn weight_of(class_index: u32) -> f32 {
  if (WEIGHTED) { return class_weights[class_index]; }
  return 1.0;
}

fn label_of(row: u32) -> u32 {
  if (PROBABILITIES) { return 0u; }
  return target_bits[row];
}

fn is_ignored(label: u32) -> bool {
  return !PROBABILITIES && label == params.ignored;
}

fn is_wrong(label: u32) -> bool {
  return label >= params.classes;
}

// q[c] of one row.
fn wanted(row: u32, label: u32, c: u32) -> f32 {
  var probability = 0.0;
  if (PROBABILITIES) {
    probability = bitcast<f32>(target_bits[row * params.classes + c]);
  } else {
    probability = select(0.0, 1.0, c == label);
  }
  if (SMOOTH) {
    probability = (1.0 - params.smoothing) * probability + params.smoothing / f32(params.classes);
  }
  return weight_of(c) * probability;
}

fn part_max(row: u32, member: u32, team: u32) -> f32 {
  let first = row * params.classes;
  var largest = f32(x[first]);
  for (var c = member; c < params.classes; c += team) { largest = max_nan(largest, f32(x[first + c])); }
  return largest;
}

// The three sums over classes: s, Q, and q[c] * (x[c] - max). Sums of sums of RUN terms: 1000 small equal terms on top of one
// another would all be rounded the same way.
fn part_sums(row: u32, label: u32, largest: f32, member: u32, team: u32) -> vec3f {
  var sums = vec3f(0.0);
  for (var begin = member; begin < params.classes; begin += RUN * team) {
    sums += run_sums(row, label, largest, begin, min(begin + RUN * team, params.classes), team);
  }
  return sums;
}

fn run_sums(row: u32, label: u32, largest: f32, begin: u32, end: u32, team: u32) -> vec3f {
  var sums = vec3f(0.0);
  for (var c = begin; c < end; c += team) {
    let shifted = f32(x[row * params.classes + c]) - largest;
    sums.x += exp(shifted);
    // A class that is not wanted at all must not turn a logit of -infinity into 0 * infinity.
    if (PROBABILITIES || SMOOTH || c == label) {
      let q = wanted(row, label, c);
      sums.y += q;
      sums.z += q * shifted;
    }
  }
  return sums;
}

fn write_row(row: u32, label: u32, largest: f32, sums: vec3f) {
  var value = sums.y * log(sums.x) - sums.z;
  var q = sums.y;
  // Not left to arithmetic: some devices have e^NaN = infinity.
  if (is_wrong(label) || !is_finite(largest)) {
    value = nan_like(value);
    q = nan_like(q);
  }
  var weight = 1.0;
  if (is_ignored(label)) {
    value = 0.0;
    weight = 0.0;
  } else if (!PROBABILITIES && !is_wrong(label)) {
    weight = weight_of(label);
  }
  losses[row] = value;
  row_weights[row] = weight;
  stats[row] = vec4f(largest, sums.x, q, 0.0);
}

@compute @workgroup_size(WORKGROUP)
fn forward_short(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (row >= params.rows) { return; }
  let label = label_of(row);
  let largest = part_max(row, 0u, 1u);
  write_row(row, label, largest, part_sums(row, label, largest, 0u, 1u));
}

@compute @workgroup_size(WORKGROUP)
fn forward_long(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups);
  if (row >= params.rows) { return; }
  let label = label_of(row);
  let largest = tree_max(part_max(row, local_index, WORKGROUP), local_index);
  let part = part_sums(row, label, largest, local_index, WORKGROUP);
  let s = tree_sum(part.x, local_index);
  let q = tree_sum(part.y, local_index);
  let weighted = tree_sum(part.z, local_index);
  if (local_index == 0u) { write_row(row, label, largest, vec3f(s, q, weighted)); }
}

@compute @workgroup_size(WORKGROUP)
fn total(@builtin(local_invocation_index) local_index: u32) {
  var sums = vec2f(0.0);
  for (var row = local_index; row < params.rows; row += WORKGROUP) {
    sums += vec2f(losses[row], row_weights[row]);
  }
  let value = tree_sum(sums.x, local_index);
  let weight = tree_sum(sums.y, local_index);
  if (local_index > 0u) { return; }
  if (REDUCTION != MEAN) {
    loss[0] = value;
  } else if (weight == 0.0) {
    loss[0] = nan_like(weight);
  } else {
    loss[0] = value / weight;
  }
  total_weight[0] = weight;
}

fn slope_of(row: u32) -> f32 {
  switch REDUCTION {
    case NONE: { return dy[row]; }
    case MEAN: { return dy[0] / saved_total_weight[0]; }
    default: { return dy[0]; }
  }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let row = i / params.classes;
  if (row >= params.rows) { return; }
  let c = i % params.classes;
  let label = label_of(row);
  if (is_ignored(label)) {
    dx[i] = T(0.0);
    return;
  }
  let row_stats = saved_stats[row];
  let probability = exp(f32(x[i]) - row_stats.x) / row_stats.y;
  dx[i] = T(slope_of(row) * (row_stats.z * probability - wanted(row, label, c)));
}
