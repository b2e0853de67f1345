// The place of the largest or smallest element along one axis.
//
//   out[o, s, i] = the first r of slice s for which x[o, r, i] is best
//
// NaN is better than every number; of equal elements the first is best. A second pass takes the winners of all slices as
// its candidates. One invocation makes one slice of one column. Cost: one load and one comparison an element.
//
// requires: lib/grid.wgsl

alias T = f32; // elements of x
alias A = f32; // what is compared: f32 for f16, else T

const WORKGROUP = 64u;

override LARGEST: bool = true;
override IS_FLOAT: bool = true;
override CANDIDATES: bool = false; // compare only the elements named by `candidates`

struct Params {
  columns: u32, // outer * inner
  length: u32,  // of the axis of x
  inner: u32,
  count: u32,   // candidates in a column: length, or slices of the pass before
  slices: u32,
  per_slice: u32,
}

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> candidates: array<i32>; // [outer, count, inner]
@group(0) @binding(2) var<storage, read_write> out: array<i32>;
@group(0) @binding(3) var<uniform> params: Params;

fn is_nan_bits(value: A) -> bool {
  return IS_FLOAT && (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

fn is_better(value: A, best: A) -> bool {
  if (is_nan_bits(best)) { return false; }
  if (is_nan_bits(value)) { return true; }
  if (LARGEST) { return value > best; }
  return value < best;
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let i = index % params.inner;
  let slice = index / params.inner % params.slices;
  let o = index / params.inner / params.slices;
  if (o * params.inner >= params.columns) { return; }
  let begin = slice * params.per_slice;
  let end = min(begin + params.per_slice, params.count);
  var best_at = 0u;
  var best = A(0);
  for (var c = begin; c < end; c++) {
    var r = c;
    if (CANDIDATES) { r = u32(candidates[(o * params.count + c) * params.inner + i]); }
    let value = A(x[(o * params.length + r) * params.inner + i]);
    if (c == begin || is_better(value, best)) {
      best = value;
      best_at = r;
    }
  }
  out[index] = i32(best_at);
}
