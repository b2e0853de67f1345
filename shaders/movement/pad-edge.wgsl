// Padding of one axis by what is there: mirrored at the edges, or the edge repeated. x is [outer, n, inner], and out
// [outer, before + n + after, inner].
//
//   forward:   out[o, p, i] = x[o, source(p), i]
//   replicate: source(p) = clamp(p - before, 0, n - 1)
//   reflect:   source(p) = |p - before| at the front, 2 (n - 1) - (p - before) at the back: the edge itself is not repeated
//   backward:  dx[o, j, i] = sum of dy[o, p, i] over all p with source(p) = j, in the order written below
//
// One invocation makes one element of the result. Cost: 8 bytes an element; backward adds the padding.
//
// requires: lib/grid.wgsl

alias T = f32;

const WORKGROUP = 64u;

override MODE: u32 = 0u;

const REFLECT = 0u;
const REPLICATE = 1u;

struct Params {
  size: u32, // elements of the result: out or dx
  n: u32,    // size of the axis of x
  before: u32,
  after: u32,
  inner: u32, // elements behind one index of the axis
}

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(0) var<storage, read> dy: array<T>;
@group(0) @binding(1) var<storage, read_write> out: array<T>;
@group(0) @binding(2) var<uniform> params: Params;

fn source(p: u32) -> u32 {
  let last = i32(params.n) - 1;
  let j = i32(p) - i32(params.before);
  if (MODE == REPLICATE) { return u32(clamp(j, 0, last)); }
  return u32(select(abs(j), 2 * last - j, j > last));
}

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.size) { return; }
  let padded = params.before + params.n + params.after;
  let row = i / params.inner;
  let o = row / padded;
  out[i] = x[(o * params.n + source(row % padded)) * params.inner + i % params.inner];
}

@compute @workgroup_size(WORKGROUP)
fn backward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.size) { return; }
  let padded = params.before + params.n + params.after;
  let row = i / params.inner;
  let j = row % params.n;
  let first = row / params.n * padded * params.inner + i % params.inner; // dy[o, 0, i]
  let last = params.n - 1u;
  var sum = f32(dy[first + (params.before + j) * params.inner]);
  if (MODE == REPLICATE) {
    if (j == 0u) {
      for (var p = 0u; p < params.before; p++) { sum += f32(dy[first + p * params.inner]); }
    }
    if (j == last) {
      for (var p = params.before + params.n; p < padded; p++) { sum += f32(dy[first + p * params.inner]); }
    }
  } else {
    if (j >= 1u && j <= params.before) { sum += f32(dy[first + (params.before - j) * params.inner]); }
    if (j < last && last - j <= params.after) { sum += f32(dy[first + (params.before + 2u * last - j) * params.inner]); }
  }
  out[i] = T(sum);
}
