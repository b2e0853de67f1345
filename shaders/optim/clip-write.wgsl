// Clips up to COUNT gradients in place.
//
// `scale`: g *= factor[0], which `finish` of clip-read.wgsl left there.   `limit`: g = clamp(g, -max_value, max_value).
// One workgroup changes WORKGROUP * VECTORS vec4s of one tensor. NaN stays NaN. Cost: 8 bytes and a flop an element.
// Source: PyTorch, torch.nn.utils.clip_grad_norm_ and clip_grad_value_.
//
// requires: lib/grid.wgsl
// requires: lib/nan.wgsl

const WORKGROUP = 64u;
const VECTORS = 4u;

override COUNT: u32 = 7u; // tensors that are bound; 1 for a large one, see nn/optim/dispatch-list.ts

struct Params {
  workgroups: u32, // in this dispatch, all tensors together
  count: u32, // tensors in this dispatch
  max_value: f32, // limit
  places: array<vec4<u32>, 7>, // first workgroup; vec4s; -; -
}

@group(0) @binding(0) var<storage, read_write> gradient0: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> gradient1: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> gradient2: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> gradient3: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> gradient4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> gradient5: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> gradient6: array<vec4f>;
@group(0) @binding(7) var<storage, read> factor: array<f32>;
@group(0) @binding(8) var<uniform> params: Params;

fn load(which: u32, i: u32) -> vec4f {
  if (COUNT == 1u) { return gradient0[i]; }
  switch which {
    case 0u: { return gradient0[i]; }
    case 1u: { return gradient1[i]; }
    case 2u: { return gradient2[i]; }
    case 3u: { return gradient3[i]; }
    case 4u: { return gradient4[i]; }
    case 5u: { return gradient5[i]; }
    default: { return gradient6[i]; }
  }
}

fn store(which: u32, i: u32, g: vec4f) {
  if (COUNT == 1u) {
    gradient0[i] = g;
    return;
  }
  switch which {
    case 0u: { gradient0[i] = g; }
    case 1u: { gradient1[i] = g; }
    case 2u: { gradient2[i] = g; }
    case 3u: { gradient3[i] = g; }
    case 4u: { gradient4[i] = g; }
    case 5u: { gradient5[i] = g; }
    default: { gradient6[i] = g; }
  }
}

fn tensor_of(workgroup: u32) -> u32 {
  if (COUNT == 1u) { return 0u; }
  var which = 0u;
  while (which + 1u < params.count && params.places[which + 1u].x <= workgroup) { which++; }
  return which;
}

@compute @workgroup_size(WORKGROUP)
fn scale(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, num_workgroups);
  let which = tensor_of(workgroup);
  let place = params.places[which];
  let multiplier = factor[0];
  let begin = (workgroup - place.x) * WORKGROUP * VECTORS;
  let end = min(begin + WORKGROUP * VECTORS, place.y);
  for (var i = begin + local_index; i < end; i += WORKGROUP) {
    store(which, i, load(which, i) * multiplier);
  }
}

@compute @workgroup_size(WORKGROUP)
fn limit(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, num_workgroups);
  let which = tensor_of(workgroup);
  let place = params.places[which];
  let bound = vec4f(params.max_value);
  let begin = (workgroup - place.x) * WORKGROUP * VECTORS;
  let end = min(begin + WORKGROUP * VECTORS, place.y);
  for (var i = begin + local_index; i < end; i += WORKGROUP) {
    store(which, i, max_nan4(min_nan4(load(which, i), bound), -bound));
  }
}
