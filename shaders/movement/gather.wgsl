// Elements chosen by indices along one axis:
//
//   out[.., k, ..] = x[.., indices[.., k, ..], ..]
//
// The walk (lib/walk.wgsl) has the places in x, where the chosen axis has stride 0 and axis_stride instead, and in indices. An
// index outside the axis, a negative one included, reads nothing: it gives `missing`. Work is shared out as lib/vectors.wgsl says.
//
// `vectors`: four neighbours share their index. `elements`: each has its own.
// Cost: out twice and the indices once.
//
// requires: lib/vectors.wgsl, lib/walk.wgsl

alias T = f32;

struct Params {
  size: u32,        // elements of out
  axis_size: u32,   // elements of x along the axis
  axis_stride: u32, // in vec4s or elements, as all strides of x
  missing: f32,
  shape: array<vec4<u32>, 2>, // of the walk, as lib/walk.wgsl has them
  jump: array<vec4<u32>, 2>,
  start: vec4<u32>,
  strides: array<vec4<u32>, 8>,
}

@group(0) @binding(0) var<storage, read> x: array<vec4<T>>;
@group(0) @binding(0) var<storage, read> x_elements: array<T>;
@group(0) @binding(1) var<storage, read> indices: array<u32>; // or i32: a negative one is a huge u32
@group(0) @binding(2) var<storage, read_write> out: array<vec4<T>>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn vectors(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.size / 4u);
  var walk = walk_to(span.first);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    let index = indices[walk.at.y];
    var chosen = vec4<T>(T(params.missing));
    if (index < params.axis_size) { chosen = x[walk.at.x + index * params.axis_stride]; }
    out[i] = chosen;
    jump(&walk);
  }
}

// The element at the walk, which goes on to the next one.
fn take(walk: ptr<function, Walk>) -> T {
  let index = indices[(*walk).at.y];
  var chosen = T(params.missing);
  if (index < params.axis_size) { chosen = x_elements[(*walk).at.x + index * params.axis_stride]; }
  next(walk);
  return chosen;
}

@compute @workgroup_size(WORKGROUP)
fn elements(
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
    out[i] = vec4<T>(a, b, c, d);
    jump(&walk);
  }
}
