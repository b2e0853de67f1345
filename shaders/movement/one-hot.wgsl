// Labels as rows with a single 1: out[i, c] = 1 where c = labels[i], else 0. A label outside 0..classes-1 gives a row of 0.
// The walk (lib/walk.wgsl) has the place in labels, and the class as index along its innermost axis. Work is shared out as
// lib/vectors.wgsl says. Cost: 4 bytes an element.
//
// requires: lib/vectors.wgsl, lib/walk.wgsl

alias T = f32;

// The number of classes is a multiple of 4: the steps of the walk are vec4s, else elements.
override WHOLE_VECTORS: bool = true;

struct Params {
  size: u32, // elements of out
  shape: array<vec4<u32>, 2>, // of the walk, as lib/walk.wgsl has them
  jump: array<vec4<u32>, 2>,
  start: vec4<u32>,
  strides: array<vec4<u32>, 8>,
}

@group(0) @binding(0) var<storage, read> labels: array<u32>; // or i32: a negative one is a huge u32
@group(0) @binding(1) var<storage, read_write> out: array<vec4<T>>;
@group(0) @binding(2) var<uniform> params: Params;

// Is the class at the walk, which goes on to the next one, that of the label?
fn take(walk: ptr<function, Walk>) -> bool {
  let is_label = labels[(*walk).at.x] == index_along(*walk, 0u);
  next(walk);
  return is_label;
}

fn four_at(walk: Walk) -> vec4<bool> {
  if (WHOLE_VECTORS) {
    let classes = 4u * index_along(walk, 0u) + vec4u(0u, 1u, 2u, 3u);
    return classes == vec4u(labels[walk.at.x]);
  }
  var four = walk;
  let a = take(&four);
  let b = take(&four);
  let c = take(&four);
  return vec4<bool>(a, b, c, take(&four));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, (params.size + 3u) / 4u);
  var walk = walk_to(select(4u * span.first, span.first, WHOLE_VECTORS));
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    out[i] = select(vec4<T>(T(0)), vec4<T>(T(1)), four_at(walk));
    jump(&walk);
  }
}
