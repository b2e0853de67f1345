// Functions of two whole numbers, with NumPy's broadcasting; see binary.wgsl. Division truncates towards 0, and by 0 it gives
// the dividend, as WGSL has it.
//
// requires: lib/broadcast.wgsl

alias T = i32;
alias V = vec4<T>;

override OP: u32 = 0u;

const ADD = 0u;
const SUB = 1u;
const MUL = 2u;
const DIV = 3u;
const MAXIMUM = 5u;
const MINIMUM = 6u;

struct Params {
  size: u32, // elements of out
  shape: array<vec4<u32>, 2>, // of the walk, as lib/walk.wgsl has them
  jump: array<vec4<u32>, 2>,
  start: vec4<u32>,
  strides: array<vec4<u32>, 8>,
}

@group(0) @binding(0) var<storage, read> a: array<V>;
@group(0) @binding(1) var<storage, read> b: array<V>;
@group(0) @binding(2) var<storage, read> a_scalars: array<T>;
@group(0) @binding(3) var<storage, read> b_scalars: array<T>;
@group(0) @binding(4) var<storage, read_write> out: array<V>;
@group(0) @binding(5) var<uniform> params: Params;

fn compute(x: V, y: V) -> V {
  switch OP {
    case ADD: { return x + y; }
    case SUB: { return x - y; }
    case MUL: { return x * y; }
    case DIV: { return x / y; }
    case MAXIMUM: { return max(x, y); }
    case MINIMUM: { return min(x, y); }
    default: { return x; }
  }
}

fn load_a(i: u32, at: vec4u) -> V {
  switch LAYOUT_A {
    case WHOLE: { return a[i]; }
    case SINGLE: { return V(a_scalars[0]); }
    case VECTOR: { return a[at.x]; }
    case REPEATED: { return V(a_scalars[at.x]); }
    default: {
      return V(a_scalars[at.x], a_scalars[at.y], a_scalars[at.z], a_scalars[at.w]);
    }
  }
}

fn load_b(i: u32, at: vec4u) -> V {
  switch LAYOUT_B {
    case WHOLE: { return b[i]; }
    case SINGLE: { return V(b_scalars[0]); }
    case VECTOR: { return b[at.x]; }
    case REPEATED: { return V(b_scalars[at.x]); }
    default: {
      return V(b_scalars[at.x], b_scalars[at.y], b_scalars[at.z], b_scalars[at.w]);
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, (params.size + 3u) / 4u);
  var walk = walk_from(span.first);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    let at = places(walk);
    out[i] = compute(load_a(i, at.a), load_b(i, at.b));
    walk_on(&walk);
  }
}
