// Mixes each sample of a batch with another one, its partner, in one box of rows and columns:
//
//   out[i] = x[partner_i] + weight_i (x[i] - x[partner_i])   in the box
//   out[i] = x[i]                                             outside of it
//
// Mixup has a box of everything, CutMix a weight of 0.
// Sources: Zhang, Cisse, Dauphin, Lopez-Paz, mixup, arXiv 1710.09412; Yun, Han, Oh, Chun, Choe, Yoo, CutMix, arXiv 1905.04899.
//
// One invocation makes one element. Cost: 12 bytes, two divisions of whole numbers.
//
// requires: lib/grid.wgsl

const WORKGROUP = 64u;

struct Params {
  size: u32,       // elements of x
  rows: u32,       // of a sample
  row_length: u32, // elements of a row
  first_row: u32,
  end_row: u32,
  first: u32, // element of a row
  end: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>; // [n, rows, row_length]
@group(0) @binding(1) var<storage, read> partners: array<u32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.size) { return; }
  let line = i / params.row_length;
  let place = i % params.row_length;
  let sample = line / params.rows;
  let row = line % params.rows;
  let own = x[i];
  let is_inside = row >= params.first_row && row < params.end_row && place >= params.first && place < params.end;
  if (!is_inside) {
    out[i] = own;
    return;
  }
  let other = x[(partners[sample] * params.rows + row) * params.row_length + place];
  out[i] = other + weights[sample] * (own - other);
}
