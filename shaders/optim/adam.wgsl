// One step of Adam or AdamW for up to COUNT parameters that live in one flat buffer:
//
//   g += decay * p                       coupled weight decay (Adam)
//   p *= keep                            decoupled weight decay (AdamW): keep = 1 - lr * decay
//   m  = b1 * m + (1 - b1) * g           v = b2 * v + (1 - b2) * g * g
//   p -= lr / (1 - b1^t) * m / (sqrt(v / (1 - b2^t)) + eps)
//
// The host computes the two corrections in double precision: 1 - b2^t would lose its digits in f32.
// While guard[0] is not 0, everything stays as it is, and only the missed updates are counted. They do not belong to t: where
// there are any, the corrections are replaced here.
// One workgroup updates WORKGROUP * VECTORS vec4s of one parameter; `places` says which workgroups belong to which.
// Cost: 28 bytes and some 15 flops an element.
// Source: Kingma and Ba, arXiv 1412.6980; Loshchilov and Hutter, arXiv 1711.05101; the form is that of torch.optim.
//
// requires: lib/grid.wgsl

const WORKGROUP = 64u;

override VECTORS: u32 = 4u;
override COUNT: u32 = 4u; // gradients that are bound; 1 for a large one, see nn/optim/dispatch-list.ts

struct Params {
  workgroups: u32, // in this dispatch, all tensors together
  count: u32, // parameters in this dispatch
  places: array<vec4<u32>, 4>,  // first workgroup; vec4s of the parameter; first vec4 in the flat buffers; index in guard
  rates: array<vec4<f32>, 4>,   // lr / (1 - b1^t); 1 / sqrt(1 - b2^t); eps; -
  moments: array<vec4<f32>, 4>, // b1; 1 - b1; b2; 1 - b2
  decays: array<vec4<f32>, 4>,  // decay; keep; updates with this one, missed ones included; -
  logs: array<vec4<f32>, 4>,    // ln b1; ln b2; -; -
}

@group(0) @binding(0) var<storage, read> gradient0: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradient1: array<vec4f>;
@group(0) @binding(2) var<storage, read> gradient2: array<vec4f>;
@group(0) @binding(3) var<storage, read> gradient3: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> second: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> guard: array<u32>; // 1: miss this update; then for each parameter how many it missed
@group(0) @binding(8) var<uniform> params: Params;

fn gradient_at(which: u32, i: u32) -> vec4f {
  if (COUNT == 1u) { return gradient0[i]; }
  switch which {
    case 0u: { return gradient0[i]; }
    case 1u: { return gradient1[i]; }
    case 2u: { return gradient2[i]; }
    default: { return gradient3[i]; }
  }
}

// The parameter that a workgroup belongs to: the last one that begins at or before it.
fn parameter_of(workgroup: u32) -> u32 {
  if (COUNT == 1u) { return 0u; }
  var which = 0u;
  while (which + 1u < params.count && params.places[which + 1u].x <= workgroup) { which++; }
  return which;
}

// 1 - e^-y for y >= 0; near 0 by its series, where the difference would lose its digits.
fn one_minus_exp(y: f32) -> f32 {
  if (y > 0.5) { return 1.0 - exp(-y); }
  var sum = 1.0;
  for (var n = 9.0; n > 1.0; n -= 1.0) { sum = 1.0 - y / n * sum; }
  return y * sum;
}

// (1 - b^t) / (1 - b^(t - missed)), from ln b.
fn correction(log_b: f32, t: f32, missed: f32) -> f32 {
  return one_minus_exp(-log_b * t) / one_minus_exp(-log_b * (t - missed));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, num_workgroups);
  let which = parameter_of(workgroup);
  let place = params.places[which];
  var rate = params.rates[which];
  let moment = params.moments[which];
  let decay = params.decays[which];
  let begin = (workgroup - place.x) * WORKGROUP * VECTORS;
  if (guard[0] != 0u) {
    if (begin == 0u && local_index == 0u) { guard[place.w] += 1u; }
    return;
  }
  if (guard[place.w] != 0u) {
    let missed = f32(guard[place.w]);
    let log = params.logs[which];
    rate.x *= correction(log.x, decay.z, missed);
    rate.y *= sqrt(correction(log.y, decay.z, missed));
  }
  let end = min(begin + WORKGROUP * VECTORS, place.y);
  for (var i = begin + local_index; i < end; i += WORKGROUP) {
    let at = place.z + i;
    let p = parameters[at];
    let g = gradient_at(which, i) + decay.x * p;
    let m = moment.x * first[at] + moment.y * g;
    let v = moment.z * second[at] + moment.w * g * g;
    first[at] = m;
    second[at] = v;
    parameters[at] = decay.y * p - rate.x * m / (sqrt(v) * rate.y + rate.z);
  }
}
