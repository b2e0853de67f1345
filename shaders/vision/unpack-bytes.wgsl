// Pixels in bytes to fractions of full scale: out[4 i + k] = byte k of x[i] / 255, the lowest byte first. One invocation turns one word
// into a vec4. Cost: 4 bytes in and 16 bytes out for each word.
//
// requires: lib/grid.wgsl

struct Params {
  words: u32, // bytes / 4, rounded up
}

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> out: array<vec4f>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * 64u + local_index;
  if (i >= params.words) { return; }
  let bytes = (vec4u(x[i]) >> vec4u(0u, 8u, 16u, 24u)) & vec4u(255u);
  out[i] = vec4f(bytes) / 255.0;
}
