// Sums, products, maxima and minima over one block of neighbouring axes.
//
// x is seen as `slabs` slabs of `slab` elements each, and every slab as rows of `width` elements:
//
//   fold:   out[o, s, w] = reduction of x[o, r, w] over the rows r of slice s
//   rows:   out[o]       = reduction of all elements of slab o
//
// To reduce a middle axis, `width` is the product of the axes behind it. To reduce a last axis, fold the long rows into narrow
// ones, then `rows` finishes. Slices make work for many invocations where there are few results; a second pass reduces them.
//
// Work is shared out as lib/vectors.wgsl says, by slices of 4 columns or by slabs.
// fold: one invocation makes 4 neighbouring columns of one slice. The rows of `group` slices alternate, so that neighbouring
// invocations load neighbouring memory even where rows are short. `fold_ragged` is for a width that is no multiple of 4.
// rows: one invocation makes a slab. There are no atomics: the order of additions depends on the shape alone.
// Cost: every element is read once; one flop an element.
//
// requires: lib/vectors.wgsl

alias T = f32; // elements of x
alias A = f32; // what is computed with: f32 for f16, else T
alias O = f32; // elements of out: A between two passes

// Which reduction.
override OP: u32 = 0u;
const SUM = 0u;
const PRODUCT = 1u;
const MAXIMUM = 2u;
const MINIMUM = 3u;

override ALIGNED: bool = true;  // every vec4 of a row begins at a multiple of 4 elements
override IS_FLOAT: bool = true; // A has NaN
override SQUARE: bool = false;  // reduce x * x

struct Params {
  slabs: u32,
  slab: u32,           // elements
  width: u32,          // elements in a row; the last row may be shorter
  slices: u32,         // of each slab; a multiple of group
  group: u32,
  rows_per_group: u32, // rows that the slices of a group share
  identity: u32,       // bits of the A that changes nothing: 0, 1, -infinity, infinity
  divisor: f32,        // of the results; 1 for none
  vectors: u32,        // slices or slabs of an invocation; no override, so that sums of all sizes share a pipeline
}

@group(0) @binding(0) var<storage, read> x: array<vec4<T>>;
@group(0) @binding(1) var<storage, read> x_scalars: array<T>; // the same memory
@group(0) @binding(2) var<storage, read_write> out: array<vec4<O>>;
@group(0) @binding(3) var<storage, read_write> out_scalars: array<O>;
@group(0) @binding(4) var<uniform> params: Params;

// Tested by bits, because WGSL lets max and min assume that there is no NaN.
fn is_nan_bits(v: vec4<A>) -> vec4<bool> {
  return (bitcast<vec4u>(v) & vec4u(0x7fffffffu)) > vec4u(0x7f800000u);
}

fn or_nan(result: vec4<A>, a: vec4<A>, b: vec4<A>) -> vec4<A> {
  if (!IS_FLOAT) { return result; }
  return select(select(result, b, is_nan_bits(b)), a, is_nan_bits(a));
}

fn combine(a: vec4<A>, b: vec4<A>) -> vec4<A> {
  switch OP {
    case SUM: { return a + b; }
    case PRODUCT: { return a * b; }
    case MAXIMUM: { return or_nan(max(a, b), a, b); }
    case MINIMUM: { return or_nan(min(a, b), a, b); }
    default: { return a; }
  }
}

// 4 elements from `element` on; those past the end of a buffer are undefined.
fn load(element: u32) -> vec4<A> {
  var v: vec4<A>;
  if (ALIGNED) {
    v = vec4<A>(x[element / 4u]);
  } else {
    v = vec4<A>(
      A(x_scalars[element]),
      A(x_scalars[element + 1u]),
      A(x_scalars[element + 2u]),
      A(x_scalars[element + 3u]),
    );
  }
  if (SQUARE) { v *= v; }
  return v;
}

fn identity() -> vec4<A> {
  return bitcast<vec4<A>>(vec4u(params.identity));
}

// The same, with the identity for elements from `count` on.
fn load_first(element: u32, count: u32) -> vec4<A> {
  return select(identity(), load(element), vec4u(0u, 1u, 2u, 3u) < vec4u(count));
}

fn finish(v: vec4<A>) -> vec4<O> {
  if (!IS_FLOAT) { return vec4<O>(v); }
  return vec4<O>(select(v, v / vec4<A>(A(params.divisor)), params.divisor != 1.0));
}

// Slices of 4 columns.
fn folds() -> u32 {
  return (params.width + 3u) / 4u * params.slices * params.slabs;
}

// Where one of them is: `index` counts column, then slice, then slab.
struct Place {
  column: u32, // first of 4
  slice: u32,
  slab: u32,
}

fn place_of(index: u32) -> Place {
  let columns = (params.width + 3u) / 4u;
  let slice = index / columns;
  return Place(4u * (index % columns), slice % params.slices, slice / params.slices);
}

fn fold_slice(place: Place) -> vec4<A> {
  let base = place.slab * params.slab + place.column;
  let rows_end = (place.slice / params.group + 1u) * params.rows_per_group;
  let whole_rows = params.slab / params.width;
  let end = min(rows_end, whole_rows);
  var row = rows_end - params.rows_per_group + place.slice % params.group;
  var total = identity();
  // Four loads are on their way at once.
  let step = params.group * params.width;
  for (; row + 3u * params.group < end; row += 4u * params.group) {
    let at = base + row * params.width;
    let a = combine(load(at), load(at + step));
    let b = combine(load(at + 2u * step), load(at + 3u * step));
    total = combine(total, combine(a, b));
  }
  for (; row < end; row += params.group) {
    total = combine(total, load(base + row * params.width));
  }
  let start = row * params.width + place.column;
  if (row == whole_rows && row < rows_end && start < params.slab) {
    total = combine(total, load_first(base + row * params.width, params.slab - start));
  }
  return total;
}

@compute @workgroup_size(WORKGROUP)
fn fold(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of_many(workgroup_id, num_workgroups, local_index, folds(), params.vectors);
  for (var i = span.first; i < span.end; i += WORKGROUP) { out[i] = finish(fold_slice(place_of(i))); }
}

@compute @workgroup_size(WORKGROUP)
fn fold_ragged(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of_many(workgroup_id, num_workgroups, local_index, folds(), params.vectors);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    let place = place_of(i);
    let total = finish(fold_slice(place));
    let first = (place.slab * params.slices + place.slice) * params.width + place.column;
    let count = min(4u, params.width - place.column);
    for (var lane = 0u; lane < count; lane++) { out_scalars[first + lane] = total[lane]; }
  }
}

fn reduce_slab(slab: u32) -> O {
  let base = slab * params.slab;
  let whole = params.slab / 4u * 4u;
  var total = identity();
  var at = 0u;
  for (; at + 12u < whole; at += 16u) {
    let a = combine(load(base + at), load(base + at + 4u));
    let b = combine(load(base + at + 8u), load(base + at + 12u));
    total = combine(total, combine(a, b));
  }
  for (; at < whole; at += 4u) { total = combine(total, load(base + at)); }
  if (whole < params.slab) { total = combine(total, load_first(base + whole, params.slab - whole)); }
  total = combine(total, total.zwxy);
  return finish(combine(total, total.yxwz)).x;
}

@compute @workgroup_size(WORKGROUP)
fn rows(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of_many(workgroup_id, num_workgroups, local_index, params.slabs, params.vectors);
  for (var slab = span.first; slab < span.end; slab += WORKGROUP) { out_scalars[slab] = reduce_slab(slab); }
}
