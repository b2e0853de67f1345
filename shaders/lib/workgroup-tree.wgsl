// Sum and maximum of one number from each of the TREE_SIZE invocations of a workgroup, by a binary tree in workgroup memory; every
// invocation gets the result. To be called in uniform control flow, as it has barriers.
//
// requires: lib/nan.wgsl

override TREE_SIZE: u32 = 64u; // a power of 2

var<workgroup> tree: array<f32, TREE_SIZE>;

fn tree_sum(value: f32, local_index: u32) -> f32 {
  tree[local_index] = value;
  for (var half = TREE_SIZE / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local_index < half) { tree[local_index] += tree[local_index + half]; }
  }
  return workgroupUniformLoad(&tree[0]);
}

fn tree_max(value: f32, local_index: u32) -> f32 {
  tree[local_index] = value;
  for (var half = TREE_SIZE / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local_index < half) { tree[local_index] = max_nan(tree[local_index], tree[local_index + half]); }
  }
  return workgroupUniformLoad(&tree[0]);
}
