// An example of a kernel of your own: a matrix product whose invocations make 1 x 4 elements each.
//
//   npm run bench -- --kernel bench/own-kernel/example.wgsl --as matmul
//
// The task binds a [m, k], b [k, n] and out [m, n] by these names, in any order, and fills whatever `struct Params` asks for of m, n and
// k. This line says how many workgroups cover the problem:
//
// workgroups: ceil(n / 32), ceil(m / 8)

struct Params { m: u32, n: u32, k: u32 }

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(8, 8)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let row = id.y;
  let column = 4u * id.x;
  if (row >= params.m || column >= params.n) { return; }
  // Past the last column, the last one is computed again and not stored.
  let columns = min(column + vec4u(0u, 1u, 2u, 3u), vec4u(params.n - 1u));
  var sum = vec4f();
  for (var p = 0u; p < params.k; p++) {
    let at = p * params.n + columns;
    sum += a[row * params.k + p] * vec4f(b[at.x], b[at.y], b[at.z], b[at.w]);
  }
  for (var i = 0u; i < min(4u, params.n - column); i++) {
    out[row * params.n + column + i] = sum[i];
  }
}
