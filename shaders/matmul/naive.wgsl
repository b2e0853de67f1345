// Matrix product, the definition: every size, every alignment, both operands transposed or not.
//
//   out[b, i, j] = sum over p of a[b, i, p] b[b, p, j]
//
// One invocation makes one element and reads a row and a column for it. Cost: 2 k flops an element; each element of a is read n
// times, each of b m times, so it runs at the speed of the cache. The other variants differ only in who reads what.
//
// requires: lib/grid.wgsl
// requires: matmul/params.wgsl

alias T = f32; // storage; sums are f32

const WORKGROUP = 64u;

override TRANSPOSE_A: bool = false; // a is stored [k, m]
override TRANSPOSE_B: bool = false; // b is stored [n, k]

@group(0) @binding(0) var<storage, read> a: array<T>;        // [batch, m, k]
@group(0) @binding(1) var<storage, read> b: array<T>;        // [batch, k, n]
@group(0) @binding(2) var<storage, read_write> out: array<T>; // [batch, m, n]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  let elements = params.m * params.n;
  if (index >= elements) { return; }
  let i = index / params.n;
  let j = index % params.n;
  let a_first = workgroup_id.z * params.a_batch + select(i * params.k, i, TRANSPOSE_A);
  let b_first = workgroup_id.z * params.b_batch + select(j, j * params.k, TRANSPOSE_B);
  let a_step = select(1u, params.m, TRANSPOSE_A);
  let b_step = select(params.n, 1u, TRANSPOSE_B);
  var sum = 0.0;
  for (var p = 0u; p < params.k; p++) {
    sum = fma(f32(a[a_first + p * a_step]), f32(b[b_first + p * b_step]), sum);
  }
  out[workgroup_id.z * elements + index] = T(sum);
}
