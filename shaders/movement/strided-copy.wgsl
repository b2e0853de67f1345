// Moves elements between two places that are both walked by strides, and changes none: the kernel behind permute, slice, flip,
// concat and pad, and behind their gradients.
//
//   out[out_offset + sum over k of index[k] * out_strides[k]] = x[x_offset + sum over k of index[k] * x_strides[k]]
//
// `units`: one step of the walk moves one unit T: 2, 4, 8 or 16 bytes, the widest that sizes, strides and offsets allow
// (engine/ops/strided-copy.ts chooses).
// Where that is a single element E but one side is an unbroken block, its side takes four at once:
// `collect`: into a block. `distribute`: out of a block.
//
// The walk (lib/walk.wgsl) has the places of x and of out. Work is shared out as lib/vectors.wgsl says. Cost: twice the bytes moved.
//
// requires: lib/vectors.wgsl, lib/walk.wgsl

alias T = u32;
alias E = u32;

struct Params {
  size: u32,  // units or elements to move
  block: u32, // first vec4 of the unbroken block
  shape: array<vec4<u32>, 2>, // of the walk, as lib/walk.wgsl has them
  jump: array<vec4<u32>, 2>,
  start: vec4<u32>,
  strides: array<vec4<u32>, 8>,
}

@group(0) @binding(0) var<storage, read> x: array<T>;
@group(0) @binding(1) var<storage, read_write> out: array<T>;
@group(0) @binding(0) var<storage, read> x_elements: array<E>;
@group(0) @binding(1) var<storage, read_write> out_elements: array<E>;
@group(0) @binding(0) var<storage, read> x_block: array<vec4<E>>;
@group(0) @binding(1) var<storage, read_write> out_block: array<vec4<E>>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn units(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.size);
  var walk = walk_to(span.first);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    out[walk.at.y] = x[walk.at.x];
    jump(&walk);
  }
}

// The element of x at the walk, which goes on to the next one.
fn take(walk: ptr<function, Walk>) -> E {
  let element = x_elements[(*walk).at.x];
  next(walk);
  return element;
}

@compute @workgroup_size(WORKGROUP)
fn collect(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, (params.size + 3u) / 4u);
  var walk = walk_to(4u * span.first);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    var four = walk;
    let a = take(&four);
    let b = take(&four);
    let c = take(&four);
    let d = take(&four);
    out_block[params.block + i] = vec4<E>(a, b, c, d);
    jump(&walk);
  }
}

@compute @workgroup_size(WORKGROUP)
fn distribute(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, (params.size + 3u) / 4u);
  var walk = walk_to(4u * span.first);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    let elements = x_block[params.block + i];
    let count = min(4u, params.size - 4u * i);
    var four = walk;
    for (var lane = 0u; lane < 4u; lane++) {
      if (lane < count) { out_elements[four.at.y] = elements[lane]; }
      next(&four);
    }
    jump(&walk);
  }
}
