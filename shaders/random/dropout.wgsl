// Dropout: out[i] = 0 with probability p, else x[i] / (1 - p). Which elements are dropped follows from seed and counter alone, so
// the gradient, which is the same function of dy, draws the mask again instead of storing it. Block j of four random words decides
// the elements 4 j to 4 j + 3.
// Source: Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting (JMLR 15, 2014), the inverted form.
//
// One invocation makes one vec4. Cost: 8 bytes an element, some 50 integer operations.
//
// requires: lib/grid.wgsl
// requires: lib/philox.wgsl

alias T = f32;

const WORKGROUP = 64u;

struct Params {
  blocks: u32, // vec4s of out
  start_low: u32,
  start_high: u32,
  key_low: u32,
  key_high: u32,
  threshold: u32, // p * 2^24: drop where a 24-bit number is below
  scale: f32,     // 1 / (1 - p)
}

@group(0) @binding(0) var<storage, read> x: array<vec4<T>>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4<T>>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.blocks) { return; }
  let start = vec2u(params.start_low, params.start_high);
  let words = random_block(start, i, vec2u(params.key_low, params.key_high));
  let dropped = (words >> vec4u(8u)) < vec4u(params.threshold);
  out[i] = vec4<T>(select(vec4f(x[i]) * params.scale, vec4f(0.0), dropped));
}
