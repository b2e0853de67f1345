// Elements chosen by indices along one axis:
//
//   out[.., k, ..] = x[.., indices[.., k, ..], ..]
//
// One invocation makes one unit of out (T: an element, or four neighbours that share their index), finds its index by
// index_strides, and its source by x_strides, where the chosen axis has stride 0 and axis_stride instead. An index outside the
// axis, a negative one included, reads nothing: it gives `missing`.
// Cost: out twice and the indices once, one division an axis.
//
// requires: lib/grid.wgsl

alias E = f32; // one element
alias T = f32; // E or vec4<E>

const WORKGROUP = 64u;

struct Params {
  size: u32,        // units of out
  rank: u32,        // axes of out
  axis_size: u32,   // elements of x along the axis
  axis_stride: u32, // in units, as all strides of x
  missing: f32,
  shape: array<vec4<u32>, 2>, // of out
  x_strides: array<vec4<u32>, 2>,
  index_strides: array<vec4<u32>, 2>, // in elements
}

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> indices: array<u32>; // or i32: a negative one is a huge u32
@group(0) @binding(2) var<storage, read_write> out: array<T>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.size) { return; }
  var rest = i;
  var at = vec2u(0u); // in x, in indices
  for (var axis = params.rank; axis > 0u; axis--) {
    let word = (axis - 1u) / 4u;
    let part = (axis - 1u) % 4u;
    let size = params.shape[word][part];
    let outer = rest / size;
    at += (rest - outer * size) * vec2u(params.x_strides[word][part], params.index_strides[word][part]);
    rest = outer;
  }
  let index = indices[at.y];
  if (index < params.axis_size) {
    out[i] = x[at.x + index * params.axis_stride];
  } else {
    out[i] = T(E(params.missing));
  }
}
