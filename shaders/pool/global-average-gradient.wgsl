// The gradient of the mean of whole images: every pixel gets its share of the gradient of the mean.
//
//   dx[n, p, c] = dy[n, c] * scale,     scale = 1 / pixels
//
// One invocation makes a slice of one column of an image, 4 channels (or 1, where their number is no multiple of 4: then
// the aliases become scalars). Cost: dx is written, dy is read once a slice.
//
// requires: lib/grid.wgsl, lib/column-slices.wgsl

alias S = vec4<f32>; // elements in memory
alias V = vec4<f32>; // what is computed with

const WORKGROUP = 64u;

struct Params {
  images: u32,
  rows: u32,    // pixels of an image
  columns: u32, // vectors of channels
  group: u32,
  rows_per_group: u32,
  slices: u32, // of each column of an image
  scale: f32,
}

@group(0) @binding(0) var<storage, read> dy: array<S>;       // [images, columns]
@group(0) @binding(1) var<storage, read_write> dx: array<S>; // [images, rows, columns]
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let image = index / (params.columns * params.slices);
  if (image >= params.images) { return; }
  let in_image = index - image * params.columns * params.slices;
  let part = slice_of(in_image, params.rows, params.columns, params.group, params.rows_per_group);
  let share = S(V(dy[image * params.columns + part.column]) * params.scale);
  for (var row = part.first; row < part.end; row += part.step) {
    dx[(image * params.rows + row) * params.columns + part.column] = share;
  }
}
