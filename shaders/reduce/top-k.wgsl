// The k first elements along one axis in sorted order, and where they are. Of equal elements the one with the lower index
// comes first; NaN counts as larger than every number.
//
// `choose`: one invocation makes one column: k times, the first element in order among those after the last one chosen.
//           Cost: k * length loads a column, one after another.
// `rank`:   one invocation counts how many elements come before its own, which is its place in the result.
//           Cost: length * length loads a column, but `length` invocations share them.
// `scatter`: the gradient: dx[o, indices[o, j, i], i] = dy[o, j, i]; dx is zero before.
//
// requires: lib/grid.wgsl

alias T = f32; // elements of x
alias A = f32; // what is compared: f32 for f16, else T

const WORKGROUP = 64u;

override LARGEST: bool = true;
override IS_FLOAT: bool = true;

struct Params {
  columns: u32, // outer * inner
  length: u32,
  inner: u32,
  k: u32,
}

@group(0) @binding(0) var<storage, read> x: array<T>;                   // [outer, length, inner]
@group(0) @binding(1) var<storage, read_write> values: array<T>;        // [outer, k, inner]
@group(0) @binding(2) var<storage, read_write> indices: array<i32>;     // [outer, k, inner]
@group(0) @binding(3) var<storage, read> dy: array<T>;                  // [outer, k, inner]
@group(0) @binding(4) var<storage, read> saved_indices: array<i32>;     // [outer, k, inner]
@group(0) @binding(5) var<storage, read_write> dx: array<T>;            // [outer, length, inner]
@group(0) @binding(6) var<uniform> params: Params;

fn is_nan_bits(value: A) -> bool {
  return IS_FLOAT && (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u;
}

// Does `a`, at index i, come before `b`, at index j?
fn comes_before(a: A, i: u32, b: A, j: u32) -> bool {
  let nan_a = is_nan_bits(a);
  let nan_b = is_nan_bits(b);
  if (nan_a != nan_b) { return nan_a == LARGEST; }
  if (nan_a || a == b) { return i < j; }
  return (a > b) == LARGEST;
}

fn element_of(column: u32, r: u32, length: u32) -> u32 {
  return (column / params.inner * length + r) * params.inner + column % params.inner;
}

@compute @workgroup_size(WORKGROUP)
fn choose(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let column = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (column >= params.columns) { return; }
  var last = A(0);
  var last_at = 0u;
  for (var place = 0u; place < params.k; place++) {
    var best = A(0);
    var best_at = params.length;
    for (var r = 0u; r < params.length; r++) {
      let value = A(x[element_of(column, r, params.length)]);
      let is_left = place == 0u || comes_before(last, last_at, value, r);
      if (is_left && (best_at == params.length || comes_before(value, r, best, best_at))) {
        best = value;
        best_at = r;
      }
    }
    let target_place = element_of(column, place, params.k);
    values[target_place] = T(best);
    indices[target_place] = i32(best_at);
    last = best;
    last_at = best_at;
  }
}

@compute @workgroup_size(WORKGROUP)
fn rank(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let column = index / params.length;
  if (column >= params.columns) { return; }
  let own_at = index % params.length;
  let own = A(x[element_of(column, own_at, params.length)]);
  var before = 0u;
  for (var r = 0u; r < params.length; r++) {
    if (comes_before(A(x[element_of(column, r, params.length)]), r, own, own_at)) { before++; }
  }
  if (before < params.k) {
    let target_place = element_of(column, before, params.k);
    values[target_place] = T(own);
    indices[target_place] = i32(own_at);
  }
}

@compute @workgroup_size(WORKGROUP)
fn scatter(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let column = index / params.k;
  if (column >= params.columns) { return; }
  let from_place = element_of(column, index % params.k, params.k);
  dx[element_of(column, u32(saved_indices[from_place]), params.length)] = dy[from_place];
}
