// Padding of one axis by what is there: mirrored at the edges, or the edge repeated. x is [outer, n, inner], and out
// [outer, before + n + after, inner].
//
//   forward:   out[o, p, i] = x[o, source(p), i]
//   replicate: source(p) = clamp(p - before, 0, n - 1)
//   reflect:   source(p) = |p - before| at the front, 2 (n - 1) - (p - before) at the back: the edge itself is not repeated
//   backward:  dx[o, j, i] = sum of dy[o, p, i] over all p with source(p) = j, in the order written below
//
// A step of the walk (lib/walk.wgsl) makes one unit T of the result: a vec4 where inner is a multiple of 4, else an element. It
// has the place of the first row, [o, 0, i], of what is read. Work is shared out as lib/vectors.wgsl says.
// Cost: 8 bytes an element; backward adds the padding.
//
// requires: lib/vectors.wgsl, lib/walk.wgsl

alias T = f32; // an element or vec4
alias A = f32; // what sums are made of: f32 or vec4f

override MODE: u32 = 0u;

const REFLECT = 0u;
const REPLICATE = 1u;

struct Params {
  size: u32, // units of the result: out or dx
  n: u32,    // size of the axis of x
  before: u32,
  after: u32,
  inner: u32, // units behind one index of the axis
  shape: array<vec4<u32>, 2>, // of the walk: inner, the axis, outer
  jump: array<vec4<u32>, 2>,
  start: vec4<u32>,
  strides: array<vec4<u32>, 8>,
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
  let span = span_of(workgroup_id, num_workgroups, local_index, params.size);
  var walk = walk_to(span.first);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    out[i] = x[walk.at.x + source(index_along(walk, 1u)) * params.inner];
    jump(&walk);
  }
}

// The gradient of row `j`; the first row of dy is at `first`.
fn gradient_at(first: u32, j: u32) -> A {
  let padded = params.before + params.n + params.after;
  let last = params.n - 1u;
  var sum = A(dy[first + (params.before + j) * params.inner]);
  if (MODE == REPLICATE) {
    if (j == 0u) {
      for (var p = 0u; p < params.before; p++) { sum += A(dy[first + p * params.inner]); }
    }
    if (j == last) {
      for (var p = params.before + params.n; p < padded; p++) { sum += A(dy[first + p * params.inner]); }
    }
  } else {
    if (j >= 1u && j <= params.before) { sum += A(dy[first + (params.before - j) * params.inner]); }
    if (j < last && last - j <= params.after) {
      sum += A(dy[first + (params.before + 2u * last - j) * params.inner]);
    }
  }
  return sum;
}

@compute @workgroup_size(WORKGROUP)
fn backward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.size);
  var walk = walk_to(span.first);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    out[i] = T(gradient_at(walk.at.x, index_along(walk, 1u)));
    jump(&walk);
  }
}
