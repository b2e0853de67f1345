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
// How rows are shared out, short ones and long ones: softmax/row.wgsl. total: one workgroup reduces all rows. The gradient: TEAM
// invocations make a row. Formulas are for four classes at once, or where LANES is 1 for one that is repeated.
// Cost: forward reads x once (and once more for probabilities or smoothing), backward reads x and writes dx; an exponential an
// element. Source: the definition in the documentation of torch.nn.CrossEntropyLoss.
//
// requires: lib/make-nan.wgsl, softmax/row.wgsl

alias T = f32; // of the logits

override PROBABILITIES: bool = false; // target holds probabilities, else labels
override WEIGHTED: bool = false;      // class_weights is there
override SMOOTH: bool = false;        // smoothing > 0

override TEAM: u32 = 1u; // of the gradient

override REDUCTION: u32 = 0u;
const NONE = 0u;
const SUM = 1u;
const MEAN = 2u;

struct Params {
  rows: u32,
  count: u32, // vectors in a row
  inner: u32, // 1
  classes: u32,
  ignored: u32, // bits of the label to ignore
  smoothing: f32,
}

@group(0) @binding(0) var<storage, read> x: array<S>;             // [rows, classes]
@group(0) @binding(1) var<storage, read> target_bits: array<U>;   // [rows] labels, or [rows, classes] bits of f32
@group(0) @binding(2) var<storage, read> class_weights: array<V>; // [classes]

// Of the forward pass, for the reduction and the gradient: [rows] each.
@group(0) @binding(3) var<storage, read_write> losses: array<f32>;
@group(0) @binding(4) var<storage, read_write> row_weights: array<f32>; // what a mean divides by, one summand a row
@group(0) @binding(5) var<storage, read_write> stats: array<vec4f>;     // max, s, Q, unused

@group(0) @binding(6) var<storage, read_write> loss: array<f32>;         // [1]
@group(0) @binding(7) var<storage, read_write> total_weight: array<f32>; // [1]

@group(0) @binding(8) var<storage, read> saved_stats: array<vec4f>;
@group(0) @binding(9) var<storage, read> saved_total_weight: array<f32>;
@group(0) @binding(10) var<storage, read> dy: array<f32>; // [rows] for NONE, else [1]
@group(0) @binding(11) var<storage, read_write> dx: array<vec4<T>>;
@group(0) @binding(11) var<storage, read_write> dx_scalars: array<T>;

@group(0) @binding(12) var<uniform> params: Params;

fn weight_of(class_index: u32) -> f32 {
  if (!WEIGHTED) { return 1.0; }
  return vec4f(class_weights[class_index / LANES])[class_index % LANES];
}

fn label_of(row: u32) -> u32 {
  if (PROBABILITIES) { return 0u; }
  return vec4u(target_bits[row / LANES])[row % LANES];
}

fn is_ignored(label: u32) -> bool {
  return !PROBABILITIES && label == params.ignored;
}

fn is_wrong(label: u32) -> bool {
  return label >= params.classes;
}

// q of vector i of one row.
fn wanted(row: u32, label: u32, i: u32) -> vec4f {
  var probability: vec4f;
  if (PROBABILITIES) {
    probability = vec4f(bitcast<V>(target_bits[row * params.count + i]));
  } else {
    let classes = LANES * i + (LANES / 4u) * vec4u(0u, 1u, 2u, 3u);
    probability = select(vec4f(0.0), vec4f(1.0), classes == vec4u(label));
  }
  if (SMOOTH) {
    probability = (1.0 - params.smoothing) * probability + params.smoothing / f32(params.classes);
  }
  if (WEIGHTED) { probability *= vec4f(class_weights[i]); }
  return probability;
}

// Sums over classes: of q, and of q * (x - max).
struct Wanted {
  q: vec4f,
  weighted: vec4f,
}

fn wanted_of_part(row: u32, label: u32, largest: f32, part: Part) -> Wanted {
  var sums = Wanted(vec4f(0.0), vec4f(0.0));
  for (var begin = part.first; begin < part.end; begin += RUN * part.step) {
    let end = min(begin + RUN * part.step, part.end);
    var run = Wanted(vec4f(0.0), vec4f(0.0));
    for (var i = begin; i < end; i += part.step) {
      let q = wanted(row, label, i - row * params.count);
      run.q += q;
      run.weighted += q * (vec4f(V(x[i])) - largest);
    }
    sums = Wanted(sums.q + run.q, sums.weighted + run.weighted);
  }
  return sums;
}

// The same for a label alone, in the first components. Other classes do not count: a logit of -infinity times 0 would be NaN.
fn wanted_of_label(row: u32, label: u32, largest: f32) -> Wanted {
  let at = row * params.classes + min(label, params.classes - 1u);
  let q = weight_of(min(label, params.classes - 1u));
  let logit = vec4f(V(x[at / LANES]))[at % LANES];
  return Wanted(vec4f(q), vec4f(q * (logit - largest)));
}

fn write_row(row: u32, label: u32, largest: f32, s: f32, q_sum: f32, weighted: f32) {
  var value = q_sum * log(s) - weighted;
  var q = q_sum;
  // Not left to arithmetic: some devices have e^NaN = infinity.
  if (is_wrong(label) || !is_finite(largest) || s == 0.0) {
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
  stats[row] = vec4f(largest, s, q, 0.0);
}

fn forward_row(row: u32) {
  let label = label_of(row);
  let part = part_of(row, 0u, 1u);
  let peak = peak_of_row(part);
  let largest = vec4f(peak.largest).x;
  let s = vec4f(peak.total).x;
  if (PROBABILITIES || SMOOTH) {
    let sums = wanted_of_part(row, label, largest, part);
    write_row(row, label, largest, s, lanes_sum(sums.q), lanes_sum(sums.weighted));
  } else {
    let sums = wanted_of_label(row, label, largest);
    write_row(row, label, largest, s, sums.q.x, sums.weighted.x);
  }
}

@compute @workgroup_size(WORKGROUP)
fn forward_short(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.rows);
  for (var row = span.first; row < span.end; row += WORKGROUP) { forward_row(row); }
}

@compute @workgroup_size(TREE_SIZE)
fn forward_long(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) member: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups);
  if (row >= params.rows) { return; }
  let label = label_of(row);
  let part = part_of(row, member, TREE_SIZE);
  let peak = peak_of_team(part, member);
  let largest = vec4f(peak.largest).x;
  let s = vec4f(peak.total).x;
  if (PROBABILITIES || SMOOTH) {
    let sums = wanted_of_part(row, label, largest, part);
    let q = tree_sum(lanes_sum(sums.q), member);
    let weighted = tree_sum(lanes_sum(sums.weighted), member);
    if (member == 0u) { write_row(row, label, largest, s, q, weighted); }
  } else if (member == 0u) {
    let sums = wanted_of_label(row, label, largest);
    write_row(row, label, largest, s, sums.q.x, sums.weighted.x);
  }
}

@compute @workgroup_size(TREE_SIZE)
fn total(@builtin(local_invocation_index) local_index: u32) {
  var sums = vec2f(0.0);
  for (var begin = local_index; begin < params.rows; begin += RUN * TREE_SIZE) {
    let end = min(begin + RUN * TREE_SIZE, params.rows);
    var run = vec2f(0.0);
    for (var row = begin; row < end; row += TREE_SIZE) { run += vec2f(losses[row], row_weights[row]); }
    sums += run;
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

// What the gradients of a row have in common.
struct Slopes {
  row: u32,
  label: u32,
  largest: f32,
  probability: f32, // Q / s
  slope: f32,
}

fn slopes_of(row: u32) -> Slopes {
  let row_stats = saved_stats[row];
  return Slopes(row, label_of(row), row_stats.x, row_stats.z / row_stats.y, slope_of(row));
}

// The gradient of vector i of a row.
fn gradient(row: Slopes, i: u32) -> vec4f {
  let e = exp(vec4f(V(x[row.row * params.count + i])) - row.largest);
  let slopes = row.slope * (row.probability * e - wanted(row.row, row.label, i));
  return select(slopes, vec4f(0.0), is_ignored(row.label));
}

// `backward` is for vectors of 4 classes, `backward_scalars` for those of 1.
@compute @workgroup_size(WORKGROUP)
fn backward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.rows * TEAM);
  for (var part = span.first; part < span.end; part += WORKGROUP) {
    let row = slopes_of(part / TEAM);
    let first = row.row * params.count;
    for (var i = part % TEAM; i < params.count; i += TEAM) { dx[first + i] = vec4<T>(gradient(row, i)); }
  }
}

@compute @workgroup_size(WORKGROUP)
fn backward_scalars(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.rows * TEAM);
  for (var part = span.first; part < span.end; part += WORKGROUP) {
    let row = slopes_of(part / TEAM);
    let first = row.row * params.count;
    for (var i = part % TEAM; i < params.count; i += TEAM) { dx_scalars[first + i] = T(gradient(row, i).x); }
  }
}
