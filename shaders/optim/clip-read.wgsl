// The Euclidean norm of many gradients together, in two passes, and the factor that clips it:
//
//   norm = sqrt(sum of g[i]^2 over all tensors),   factor = min(1, max_norm / (norm + 1e-6))
//
// `square_sums`: one workgroup adds up WORKGROUP * VECTORS vec4s of one of up to COUNT tensors into one partial sum.
// `finish`: a single workgroup adds the partial sums. The order of all additions is fixed, so the same gradients give the
// same bits. Cost: 4 bytes and 2 flops an element. Source: PyTorch, torch.nn.utils.clip_grad_norm_.
//
// requires: lib/grid.wgsl
// requires: lib/nan.wgsl

const WORKGROUP = 64u;
const VECTORS = 16u;

override COUNT: u32 = 7u; // tensors that are bound; 1 for a large one, see nn/optim/dispatch-list.ts

struct Params {
  workgroups: u32, // square_sums: in this dispatch, all tensors together
  count: u32,      // square_sums: tensors in this dispatch; finish: partial sums
  first_sum: u32,  // square_sums: where its partial sums begin
  max_norm: f32,   // finish
  places: array<vec4<u32>, 7>, // square_sums: first workgroup; elements; -; -
}

@group(0) @binding(0) var<storage, read> gradient0: array<vec4f>;
@group(0) @binding(1) var<storage, read> gradient1: array<vec4f>;
@group(0) @binding(2) var<storage, read> gradient2: array<vec4f>;
@group(0) @binding(3) var<storage, read> gradient3: array<vec4f>;
@group(0) @binding(4) var<storage, read> gradient4: array<vec4f>;
@group(0) @binding(5) var<storage, read> gradient5: array<vec4f>;
@group(0) @binding(6) var<storage, read> gradient6: array<vec4f>;
@group(0) @binding(7) var<storage, read_write> sums: array<f32>;
@group(0) @binding(8) var<storage, read_write> norm: array<f32>;
@group(0) @binding(9) var<storage, read_write> factor: array<f32>;
@group(0) @binding(10) var<uniform> params: Params;

var<workgroup> shares: array<f32, WORKGROUP>;

fn gradient_at(which: u32, i: u32) -> vec4f {
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

// The tensor that a workgroup belongs to: the last one that begins at or before it.
fn tensor_of(workgroup: u32) -> u32 {
  if (COUNT == 1u) { return 0u; }
  var which = 0u;
  while (which + 1u < params.count && params.places[which + 1u].x <= workgroup) { which++; }
  return which;
}

// The sum of `share` over the workgroup, for every invocation.
fn workgroup_sum(share: f32, local_index: u32) -> f32 {
  shares[local_index] = share;
  for (var half = WORKGROUP / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local_index < half) { shares[local_index] += shares[local_index + half]; }
  }
  workgroupBarrier();
  return shares[0];
}

@compute @workgroup_size(WORKGROUP)
fn square_sums(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let workgroup = linear_workgroup(workgroup_id, num_workgroups);
  if (workgroup >= params.workgroups) { return; }
  let which = tensor_of(workgroup);
  let place = params.places[which];
  var total = vec4f(0.0);
  let begin = (workgroup - place.x) * WORKGROUP * VECTORS;
  let end = min(begin + WORKGROUP * VECTORS, (place.y + 3u) / 4u);
  for (var i = begin + local_index; i < end; i += WORKGROUP) {
    // Behind the last element there is anything at all.
    let inside = vec4u(4u * i) + vec4u(0u, 1u, 2u, 3u) < vec4u(place.y);
    let g = select(vec4f(0.0), gradient_at(which, i), inside);
    total += g * g;
  }
  let sum = workgroup_sum(dot(total, vec4f(1.0)), local_index);
  if (local_index == 0u) { sums[params.first_sum + workgroup] = sum; }
}

@compute @workgroup_size(WORKGROUP)
fn finish(@builtin(local_invocation_index) local_index: u32) {
  var share = 0.0;
  for (var i = local_index; i < params.count; i += WORKGROUP) { share += sums[i]; }
  let sum = workgroup_sum(share, local_index);
  if (local_index == 0u) {
    let length = sqrt(sum);
    norm[0] = length;
    factor[0] = min_nan(1.0, params.max_norm / (length + 1e-6));
  }
}
