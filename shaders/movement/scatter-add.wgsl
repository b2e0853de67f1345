// The reverse of gather: adds each element of source to the place that its index names.
//
//   out[.., j, ..] = x[.., j, ..] + sum of source[.., k, ..] over all k with indices[.., k, ..] = j
//
// Turned round, so that no two invocations write to one place: one invocation makes one unit of out (T: an element, or four
// neighbours that share their indices) and looks through all `count` indices that could name it, in order. No atomics, so the
// same input gives the same bits. An index outside the axis names no place. Other axes of source may be shorter than those of
// x; nothing is added beyond them.
// Cost: count reads of an index for each unit of out.
//
// requires: lib/grid.wgsl

alias T = f32; // an element or vec4 of the type of the tensors
alias A = f32; // the type to add in: f32 for f16, else T

const WORKGROUP = 64u;

struct Params {
  size: u32,         // units of out
  rank: u32,         // axes of out
  axis: u32,         // the chosen one
  count: u32,        // elements of source along the axis
  source_step: u32,  // stride of source along the axis, in units
  index_step: u32,   // stride of indices along the axis, in elements
  shape: array<vec4<u32>, 2>,          // of out
  source_shape: array<vec4<u32>, 2>,   // along the other axes
  source_strides: array<vec4<u32>, 2>, // in units, 0 along the axis
  index_strides: array<vec4<u32>, 2>,  // in elements, 0 along the axis
}

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read> indices: array<u32>; // or i32: a negative one is a huge u32
@group(0) @binding(2) var<storage, read> source: array<T>;
@group(0) @binding(3) var<storage, read_write> out: array<T>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.size) { return; }
  var rest = i;
  var place = 0u; // along the axis
  var inside = true;
  var at = vec2u(0u); // in source, in indices
  for (var k = params.rank; k > 0u; k--) {
    let word = (k - 1u) / 4u;
    let part = (k - 1u) % 4u;
    let size = params.shape[word][part];
    let outer = rest / size;
    let index = rest - outer * size;
    if (k - 1u == params.axis) {
      place = index;
    } else {
      inside = inside && index < params.source_shape[word][part];
      at += index * vec2u(params.source_strides[word][part], params.index_strides[word][part]);
    }
    rest = outer;
  }
  var sum = A(x[i]);
  for (var k = 0u; k < select(0u, params.count, inside); k++) {
    if (indices[at.y + k * params.index_step] == place) { sum += A(source[at.x + k * params.source_step]); }
  }
  out[i] = T(sum);
}
