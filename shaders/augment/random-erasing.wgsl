// Random erasing: out[i] = noise where the pixel of i lies in one of the boxes of its image, else x[i]. The noise is of the standard normal
// distribution, a function of counter and key alone: block j of four random words makes that of the elements 4 j to 4 j + 3.
// Source: Zhong, Zheng, Kang, Li, Yang, Random erasing data augmentation, arXiv 1708.04896; fastai, RandomErasing.
//
// One invocation makes one vec4. Cost: 8 bytes and a loop over the boxes for an element; in boxes some 60 integer operations more.
//
// requires: lib/grid.wgsl
// requires: lib/philox.wgsl
// requires: lib/normal.wgsl

const WORKGROUP = 64u;

struct Params {
  blocks: u32, // vec4s of out
  height: u32,
  width: u32,
  channels: u32,
  boxes_of_image: u32,
  key_low: u32,
  key_high: u32,
}

@group(0) @binding(0) var<storage, read> x: array<vec4f>;     // [n, height, width, channels]
@group(0) @binding(1) var<storage, read> boxes: array<vec4u>; // [n, boxes_of_image] of (first row, end row, first column, end column)
@group(0) @binding(2) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(3) var<uniform> params: Params;

fn is_erased(element: u32) -> bool {
  let pixel = element / params.channels;
  let column = pixel % params.width;
  let line = pixel / params.width;
  let row = line % params.height;
  let image = line / params.height;
  for (var i = 0u; i < params.boxes_of_image; i++) {
    let box = boxes[image * params.boxes_of_image + i];
    if (row >= box.x && row < box.y && column >= box.z && column < box.w) { return true; }
  }
  return false;
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.blocks) { return; }
  let erased = vec4<bool>(is_erased(4u * i), is_erased(4u * i + 1u), is_erased(4u * i + 2u), is_erased(4u * i + 3u));
  var value = x[i];
  if (any(erased)) {
    let noise = normal4(random_block(vec2u(0u), i, vec2u(params.key_low, params.key_high)));
    value = select(value, noise, erased);
  }
  out[i] = value;
}
