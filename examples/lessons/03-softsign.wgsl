// Softsign, element by element: out[i] = x[i] / (1 + |x[i]|), a smooth step from -1 to 1. One invocation makes one element.
// Cost: 3 flops and 8 bytes an element.
//
// requires: lib/grid.wgsl

// The numbers that the program passes with each call, by these names.
struct Params {
  size: u32, // elements
}

// The tensors that the program passes, by these names: one to read, one to write.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

// A GPU runs this function thousands of times at once, in workgroups of 64. The builtins say which of them all this one is.
@compute @workgroup_size(64)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * 64 + local_index;
  // The last workgroup is rarely full.
  if (i >= params.size) { return; }
  out[i] = x[i] / (1 + abs(x[i]));
}
