// One step of stochastic gradient descent for up to COUNT parameters that live in one flat buffer:
//
//   g += decay * p                       coupled weight decay
//   p *= keep                            decoupled weight decay: keep = 1 - lr * decay
//   v  = mu * v + intake * g             intake = 1 - dampening, and 1 at a parameter's first step
//   p -= lr * (nesterov ? g + mu * v : v)
//
// `momentum` does this; `plain` is the case mu = 0, which needs no buffer v: p -= lr * g.
// While guard[0] is not 0, everything stays as it is, and only the missed updates are counted.
// One workgroup updates WORKGROUP * VECTORS vec4s of one parameter; `places` says which workgroups belong to which.
// Cost: 20 bytes and up to 8 flops an element (plain: 12 bytes).
// Source: PyTorch, torch.optim.SGD; Sutskever et al., ICML 2013, for Nesterov's form.
//
// requires: lib/grid.wgsl

const WORKGROUP = 64u;

override VECTORS: u32 = 4u;
override COUNT: u32 = 5u; // gradients that are bound; 1 for a large one, see nn/optim/dispatch-list.ts

struct Params {
  workgroups: u32, // in this dispatch, all tensors together
  count: u32, // parameters in this dispatch
  places: array<vec4<u32>, 5>, // first workgroup; vec4s of the parameter; first vec4 in the flat buffers; index in guard
  rates: array<vec4<f32>, 5>,  // lr; mu; 1 - dampening; 1 for Nesterov, else 0
  decays: array<vec4<f32>, 5>, // decay; keep; updates with this one, missed ones included; -
}

@group(0) @binding(0) var<storage, read> gradient0: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradient1: array<vec4f>;
@group(0) @binding(2) var<storage, read> gradient2: array<vec4f>;
@group(0) @binding(3) var<storage, read> gradient3: array<vec4f>;
@group(0) @binding(4) var<storage, read> gradient4: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> velocity: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> guard: array<u32>; // 1: miss this update; then for each parameter how many it missed
@group(0) @binding(8) var<uniform> params: Params;

fn gradient_at(which: u32, i: u32) -> vec4f {
  if (COUNT == 1u) { return gradient0[i]; }
  switch which {
    case 0u: { return gradient0[i]; }
    case 1u: { return gradient1[i]; }
    case 2u: { return gradient2[i]; }
    case 3u: { return gradient3[i]; }
    default: { return gradient4[i]; }
  }
}

// The parameter that a workgroup belongs to: the last one that begins at or before it.
fn parameter_of(workgroup: u32) -> u32 {
  if (COUNT == 1u) { return 0u; }
  var which = 0u;
  while (which + 1u < params.count && params.places[which + 1u].x <= workgroup) { which++; }
  return which;
}

@compute @workgroup_size(WORKGROUP)
fn momentum(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, num_workgroups);
  let which = parameter_of(workgroup);
  let place = params.places[which];
  let rate = params.rates[which];
  let decay = params.decays[which];
  let begin = (workgroup - place.x) * WORKGROUP * VECTORS;
  if (guard[0] != 0u) {
    if (begin == 0u && local_index == 0u) { guard[place.w] += 1u; }
    return;
  }
  let intake = select(rate.z, 1.0, u32(decay.z) == guard[place.w] + 1u);
  let end = min(begin + WORKGROUP * VECTORS, place.y);
  for (var i = begin + local_index; i < end; i += WORKGROUP) {
    let at = place.z + i;
    let p = parameters[at];
    let g = gradient_at(which, i) + decay.x * p;
    let v = rate.y * velocity[at] + intake * g;
    velocity[at] = v;
    parameters[at] = decay.y * p - rate.x * select(v, g + rate.y * v, rate.w != 0.0);
  }
}

@compute @workgroup_size(WORKGROUP)
fn plain(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, num_workgroups);
  let which = parameter_of(workgroup);
  let place = params.places[which];
  let rate = params.rates[which];
  let decay = params.decays[which];
  let begin = (workgroup - place.x) * WORKGROUP * VECTORS;
  // Without momentum nothing depends on the number of updates; counting begins when it is switched on.
  if (begin == 0u && local_index == 0u) { guard[place.w] = 0u; }
  if (guard[0] != 0u) { return; }
  let end = min(begin + WORKGROUP * VECTORS, place.y);
  for (var i = begin + local_index; i < end; i += WORKGROUP) {
    let at = place.z + i;
    let p = parameters[at];
    parameters[at] = decay.y * p - rate.x * (gradient_at(which, i) + decay.x * p);
  }
}
