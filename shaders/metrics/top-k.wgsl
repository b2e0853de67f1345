// Counts the rows of `scores` [rows, classes] in which the class `labels[row]` is among the k best:
//
//   rank = number of classes with a higher score, or an equal one and a smaller index;   hit: rank < k
//
// so k = 1 asks whether argMax is right. NaN is the highest score, as in argMax. One invocation looks at one row.
// counts = (hits, rows seen, labels out of range). Cost: 4 bytes and 2 comparisons a score.
//
// requires: lib/grid.wgsl
// requires: lib/nan.wgsl

alias T = i32;

const WORKGROUP = 64u;

struct Params {
  rows: u32,
  classes: u32,
  k: u32,
  ignore: i32, // rows with this label do not count
}

@group(0) @binding(0) var<storage, read> scores: array<f32>;
@group(0) @binding(1) var<storage, read> labels: array<T>;
@group(0) @binding(2) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let row = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (row >= params.rows) { return; }
  let label = i32(labels[row]);
  if (label == params.ignore) { return; }
  if (label < 0 || label >= i32(params.classes)) {
    atomicAdd(&counts[2], 1u);
    return;
  }
  let own = scores[row * params.classes + u32(label)];
  let own_is_nan = is_nan(own);
  var rank = 0u;
  for (var candidate = 0u; candidate < params.classes; candidate++) {
    let score = scores[row * params.classes + candidate];
    let score_is_nan = is_nan(score);
    let higher = select(score > own, score_is_nan && !own_is_nan, score_is_nan || own_is_nan);
    let equal = select(score == own, score_is_nan && own_is_nan, score_is_nan || own_is_nan);
    if (higher || (equal && candidate < u32(label))) { rank++; }
  }
  if (rank < params.k) { atomicAdd(&counts[0], 1u); }
  atomicAdd(&counts[1], 1u);
}
