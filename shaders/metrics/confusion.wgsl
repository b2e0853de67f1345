// Counts pairs of (actual, predicted) classes: counts[actual * classes + predicted] += 1.
//
// `argmax`: the predicted class is the first one with the highest score of the row; NaN is the highest, as in argMax.
// `threshold`: two classes, one score a row; class 1 is predicted where score > threshold.
// counts has one more element: rows whose label is out of range. One invocation looks at one row.
//
// requires: lib/grid.wgsl
// requires: lib/nan.wgsl

alias T = i32;

const WORKGROUP = 64u;

struct Params {
  rows: u32,
  classes: u32,
  ignore: i32,    // rows with this label do not count
  threshold: f32, // threshold
}

@group(0) @binding(0) var<storage, read> scores: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<T>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(3) var<uniform> params: Params;

fn count_row(row: u32, predicted: u32) {
  let label = i32(labels[row]);
  if (label == params.ignore) { return; }
  let inside = label >= 0 && label < i32(params.classes);
  let cell = u32(max(label, 0)) * params.classes + predicted;
  atomicAdd(&counts[select(params.classes * params.classes, cell, inside)], 1u);
}

@compute @workgroup_size(WORKGROUP)
fn argmax(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (row >= params.rows) { return; }
  var best = 0u;
  var highest = scores[row * params.classes];
  for (var candidate = 1u; candidate < params.classes; candidate++) {
    let score = scores[row * params.classes + candidate];
    if (!is_nan(highest) && (is_nan(score) || score > highest)) {
      best = candidate;
      highest = score;
    }
  }
  count_row(row, best);
}

@compute @workgroup_size(WORKGROUP)
fn threshold(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (row >= params.rows) { return; }
  count_row(row, select(0u, 1u, scores[row] > params.threshold));
}
