// The place of the largest or smallest element along one axis.
//
//   out[o, s, i] = the first r of slice s for which x[o, r, i] is best
//
// NaN is better than every number; of equal elements the first is best. A second pass takes the winners of all slices as
// its candidates.
//
// Work is shared out as lib/vectors.wgsl says, by slices of columns. `columns` takes 4 neighbouring columns at once; `single` takes one,
// or where the axis is the last and comes in vec4s (ROWS) one row, four elements at once. Where vectors are single elements, the
// vec4s here hold one number four times, and the compiler computes it once.
// Cost: every element is read once; one comparison an element.
//
// requires: lib/vectors.wgsl

alias S = vec4<f32>; // elements of x
alias V = vec4<f32>; // the same, as they are compared
alias A = f32;       // elements of a V: f32 for f16

override LARGEST: bool = true;
override IS_FLOAT: bool = true;
override CANDIDATES: bool = false; // compare only the elements named by `candidates`
override ROWS: bool = false;

struct Params {
  outer: u32,
  length: u32, // of the axis of x, in vectors if ROWS
  inner: u32,  // vectors of columns
  count: u32,  // candidates in a column: length, or slices of the pass before
  slices: u32,
  per_slice: u32,
}

@group(0) @binding(0) var<storage, read> x: array<S>;
@group(0) @binding(1) var<storage, read> candidates: array<u32>; // [outer, count, inner]
@group(0) @binding(2) var<storage, read_write> out: array<vec4i>;
@group(0) @binding(2) var<storage, read_write> out_scalars: array<i32>;
@group(0) @binding(3) var<uniform> params: Params;

fn is_nan_bits(value: vec4<A>) -> vec4<bool> {
  if (!IS_FLOAT) { return vec4<bool>(false); }
  return (bitcast<vec4u>(value) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn is_better(value: vec4<A>, best: vec4<A>) -> vec4<bool> {
  var better = value < best;
  if (LARGEST) { better = value > best; }
  return (better | is_nan_bits(value)) & !is_nan_bits(best);
}

struct Best {
  value: vec4<A>,
  at: vec4u, // along the axis
}

fn best_of(place: Place) -> Best {
  var best = Best(vec4<A>(A(0)), vec4u(0u));
  for (var c = place.begin; c < place.end; c++) {
    var r = c;
    if (CANDIDATES) { r = candidates[(place.outer * params.count + c) * params.inner + place.column]; }
    let value = vec4<A>(V(x[(place.outer * params.length + r) * params.inner + place.column]));
    let better = is_better(value, best.value) | vec4<bool>(c == place.begin);
    best = Best(select(best.value, value, better), select(best.at, vec4u(r), better));
  }
  return best;
}

// Where an invocation works: `index` counts column, then slice, then outer.
struct Place {
  outer: u32,
  column: u32,
  begin: u32, // along the axis
  end: u32,
}

fn place_of(index: u32) -> Place {
  let slices = index / params.inner;
  let outer = slices / params.slices;
  let begin = (slices - outer * params.slices) * params.per_slice;
  return Place(outer, index - slices * params.inner, begin, min(begin + params.per_slice, params.count));
}

@compute @workgroup_size(WORKGROUP)
fn columns(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.outer * params.slices * params.inner);
  for (var i = span.first; i < span.end; i += WORKGROUP) { out[i] = vec4i(best_of(place_of(i)).at); }
}

// The better one of two; of equal ones the one in front.
fn better_of(a: Best, b: Best) -> Best {
  let is_equal = !is_better(a.value, b.value) & !is_better(b.value, a.value);
  let takes_b = is_better(b.value, a.value) | (is_equal & (b.at < a.at));
  return Best(select(a.value, b.value, takes_b), select(a.at, b.at, takes_b));
}

// The place of the best element, in the first component.
fn single_at(index: u32) -> vec4u {
  var best = best_of(place_of(index));
  if (!ROWS) { return best.at; }
  best.at = 4u * best.at + vec4u(0u, 1u, 2u, 3u);
  best = better_of(best, Best(best.value.zwxy, best.at.zwxy));
  return better_of(best, Best(best.value.yxwz, best.at.yxwz)).at;
}

@compute @workgroup_size(WORKGROUP)
fn single(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.outer * params.slices * params.inner);
  for (var i = span.first; i < span.end; i += WORKGROUP) { out_scalars[i] = i32(single_at(i).x); }
}
