// What the loss is multiplied by, after a step. One invocation each; a few bytes.
//
// `update`: a step that overflowed lowers the scale, many that did not, one after the other, raise it:
//   guard[0] != 0: scale *= backoff, growth = 0, guard[0] = 0
//   guard[0] == 0: growth += 1; when growth == interval: scale *= factor, growth = 0
// The inverse is kept beside the scale and changed by the inverse factors, which is exact for powers of two. A scale that
// would become infinite stays.
// `merge`: into[0] |= guard[0], guard[0] = 0, for several optimizers with one scale.
// Source: PyTorch, torch.amp.GradScaler.update.
//
// requires: lib/nan.wgsl

struct Params {
  backoff: f32,
  backoff_inverse: f32,
  factor: f32,
  factor_inverse: f32,
  interval: u32, // steps
}

@group(0) @binding(0) var<storage, read_write> guard: array<u32>;
@group(0) @binding(1) var<storage, read_write> scale: array<f32>;
@group(0) @binding(2) var<storage, read_write> inverse: array<f32>;
@group(0) @binding(3) var<storage, read_write> growth: array<u32>; // steps without an overflow since the scale changed
@group(0) @binding(4) var<storage, read_write> into: array<u32>;
@group(0) @binding(5) var<uniform> params: Params;

@compute @workgroup_size(1)
fn update() {
  if (guard[0] != 0u) {
    guard[0] = 0u;
    scale[0] *= params.backoff;
    inverse[0] *= params.backoff_inverse;
    growth[0] = 0u;
    return;
  }
  growth[0] += 1u;
  if (growth[0] < params.interval) { return; }
  growth[0] = 0u;
  let larger = scale[0] * params.factor;
  if (!is_finite(larger)) { return; }
  scale[0] = larger;
  inverse[0] *= params.factor_inverse;
}

@compute @workgroup_size(1)
fn merge() {
  into[0] |= guard[0];
  guard[0] = 0u;
}
