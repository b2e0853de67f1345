// Undoes the scale of the loss in up to COUNT gradients, in place, and tells whether one of them overflowed:
//
//   g *= inverse[0]        guard[0] = 1  if a g was NaN or infinite, or is afterwards
//
// The update kernels of the optimizers leave everything as it is while guard[0] is not 0.
// `inverse` is 1 / scale; for the usual powers of two the product is exact unless it is subnormal.
// One workgroup changes WORKGROUP * VECTORS vec4s of one tensor; `places` says which workgroups belong to which. Only a gradient
// that overflowed costs an atomic. Cost: 8 bytes and a flop an element.
// Source: Micikevicius et al., arXiv 1710.03740, section 3.2; PyTorch, torch.amp.GradScaler.unscale_.
//
// requires: lib/grid.wgsl
// requires: lib/nan.wgsl

const WORKGROUP = 64u;
const VECTORS = 4u;

override COUNT: u32 = 6u; // tensors that are bound; 1 for a large one, see nn/optim/dispatch-list.ts

struct Params {
  workgroups: u32, // in this dispatch, all tensors together
  count: u32,      // tensors in this dispatch
  places: array<vec4<u32>, 6>, // first workgroup; elements; -; -
}

@group(0) @binding(0) var<storage, read_write> gradient0: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> gradient1: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> gradient2: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> gradient3: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> gradient4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> gradient5: array<vec4f>;
@group(0) @binding(6) var<storage, read> inverse: array<f32>;
@group(0) @binding(7) var<storage, read_write> guard: array<atomic<u32>>;
@group(0) @binding(8) var<uniform> params: Params;

fn load(which: u32, i: u32) -> vec4f {
  if (COUNT == 1u) { return gradient0[i]; }
  switch which {
    case 0u: { return gradient0[i]; }
    case 1u: { return gradient1[i]; }
    case 2u: { return gradient2[i]; }
    case 3u: { return gradient3[i]; }
    case 4u: { return gradient4[i]; }
    default: { return gradient5[i]; }
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
    default: { gradient5[i] = g; }
  }
}

// The tensor that a workgroup belongs to: the last one that begins at or before it.
fn tensor_of(workgroup: u32) -> u32 {
  if (COUNT == 1u) { return 0u; }
  var which = 0u;
  while (which + 1u < params.count && params.places[which + 1u].x <= workgroup) { which++; }
  return which;
}

fn not_finite(g: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(g) & vec4u(EXPONENT_BITS)) == vec4u(EXPONENT_BITS);
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, num_workgroups);
  let which = tensor_of(workgroup);
  let place = params.places[which];
  let multiplier = inverse[0];
  let begin = (workgroup - place.x) * WORKGROUP * VECTORS;
  let end = min(begin + WORKGROUP * VECTORS, (place.y + 3u) / 4u);
  var overflowed = vec4<bool>();
  for (var i = begin + local_index; i < end; i += WORKGROUP) {
    let scaled = load(which, i);
    let g = scaled * multiplier;
    store(which, i, g);
    // Behind the last element there is anything at all.
    let inside = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(place.y);
    overflowed |= inside & (not_finite(scaled) | not_finite(g));
  }
  if (any(overflowed)) { atomicStore(&guard[0], 1u); }
}
