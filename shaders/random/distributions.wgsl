// Random numbers by Philox4x32-10: one block of four words makes four elements.
//
//   out[4 i .. 4 i + 3] = distribution(philox(start + i, key))
//
//   uniform: a + b (2 u - 1), kept within smallest..largest, with u in [0, 1) in steps of 2^-24. 2 u - 1 is exact, so for a = 0 or
//            b a power of 2 there is only one rounding, the same on every device whether or not it fuses the sum
//   normal:  a + b z, see lib/normal.wgsl
//   integer: low + floor(range u) with a 32-bit u, that is the upper word of range * word
//
// Vec4s are shared out as lib/vectors.wgsl says. Cost: 16 bytes of out, some 200 integer operations (10 rounds of 2 wide products).
//
// requires: lib/vectors.wgsl
// requires: lib/philox.wgsl
// requires: lib/normal.wgsl

struct Params {
  blocks: u32, // vec4s of out
  start_low: u32,
  start_high: u32,
  key_low: u32,
  key_high: u32,
  a: f32, // middle, mean
  b: f32, // uniform: half the width; normal: standard deviation
  smallest: f32,
  largest: f32,
  low: u32,   // integer: smallest, as bits
  range: u32, // integer: how many there are; 0 for 2^32
}

@group(0) @binding(0) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> out_words: array<vec4u>;
@group(0) @binding(2) var<uniform> params: Params;

fn block_of(i: u32) -> vec4u {
  return random_block(vec2u(params.start_low, params.start_high), i, vec2u(params.key_low, params.key_high));
}

@compute @workgroup_size(WORKGROUP)
fn uniform_numbers(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.blocks);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    let spread = 2.0 * uniform4(block_of(i)) - 1.0;
    out[i] = clamp(params.a + params.b * spread, vec4f(params.smallest), vec4f(params.largest));
  }
}

@compute @workgroup_size(WORKGROUP)
fn normal_numbers(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.blocks);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    let z = normal4(block_of(i));
    out[i] = params.a + params.b * z;
  }
}

@compute @workgroup_size(WORKGROUP)
fn integer_numbers(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, params.blocks);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    let words = block_of(i);
    let range = params.range;
    let scaled = vec4u(
      multiply_high(range, words.x),
      multiply_high(range, words.y),
      multiply_high(range, words.z),
      multiply_high(range, words.w),
    );
    out_words[i] = vec4u(params.low) + select(scaled, words, range == 0u);
  }
}
