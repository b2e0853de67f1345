// Adds one batch to a running mean: totals += (value * weight, weight). One invocation; 16 bytes.

struct Params {
  weight: f32, // samples in the batch
}

@group(0) @binding(0) var<storage, read> value: array<f32>;
@group(0) @binding(1) var<storage, read_write> totals: array<f32>;
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(1)
fn main() {
  totals[0] += value[0] * params.weight;
  totals[1] += params.weight;
}
