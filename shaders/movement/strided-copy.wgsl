// Moves elements between two places that are both walked by strides, and changes none: the kernel behind permute, slice, flip,
// expand, concat and pad, and behind their gradients.
//
//   out[out_offset + sum over k of index[k] * out_strides[k]] = x[x_offset + sum over k of index[k] * x_strides[k]]
//
// One invocation moves one unit: 2, 4, 8 or 16 bytes, the widest that sizes, strides and offsets allow
// (engine/ops/strided-copy.ts chooses). Strides may be 0 (repeat) or negative (reverse).
// Cost: twice the bytes moved, and one division an axis.
//
// requires: lib/grid.wgsl

alias T = u32;

const WORKGROUP = 64u;

// Axes, at least 1. Known when the pipeline is compiled, so that the loop over them is unrolled.
override RANK: u32 = 1u;

struct Params {
  size: u32,       // units to move
  x_offset: u32,   // in units, as all below
  out_offset: u32,
  shape: array<vec4<u32>, 2>,
  x_strides: array<vec4<i32>, 2>,
  out_strides: array<vec4<i32>, 2>,
}

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> out: array<T>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.size) { return; }
  var rest = i;
  var at = vec2i(vec2u(params.x_offset, params.out_offset));
  for (var axis = RANK; axis > 1u; axis--) {
    let word = (axis - 1u) / 4u;
    let part = (axis - 1u) % 4u;
    let size = params.shape[word][part];
    let outer = rest / size;
    at += i32(rest - outer * size) * vec2i(params.x_strides[word][part], params.out_strides[word][part]);
    rest = outer;
  }
  at += i32(rest) * vec2i(params.x_strides[0].x, params.out_strides[0].x);
  out[at.y] = x[at.x];
}
