// Almost nothing: what a dispatch costs, and something to put timestamps around.

@group(0) @binding(0) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  out[id.x] = f32(id.x);
}
