// Functions of one whole number: out[i] = f(x[i]). Integers have no gradient. Work is divided as in unary.wgsl.
//
// requires: lib/vectors.wgsl

alias T = i32;
alias V = vec4<T>;

override OP: u32 = 0u;

const NEG = 0u;
const ABS = 1u;
const SQUARE = 6u;
const CLAMP = 18u;
const SIGN = 19u;

struct Params {
  size: u32, // elements
  a: u32,    // clamp: min, the bits of a T
  b: u32,    // clamp: max
}

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read_write> out: array<V>;
@group(0) @binding(3) var<uniform> params: Params;

fn compute(v: V) -> V {
  switch OP {
    case NEG: { return V(0) - v; }
    case ABS: { return abs(v); }
    case SQUARE: { return v * v; }
    case CLAMP: { return clamp(v, V(bitcast<T>(params.a)), V(bitcast<T>(params.b))); }
    case SIGN: { return select(select(V(0) - V(1), V(1), v > V(0)), V(0), v == V(0)); }
    default: { return v; }
  }
}

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, (params.size + 3u) / 4u);
  for (var i = span.first; i < span.end; i += WORKGROUP) { out[i] = compute(x[i]); }
}
