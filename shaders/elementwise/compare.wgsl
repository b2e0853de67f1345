// Comparisons of two numbers with NumPy's broadcasting: out[i] = 1 where a[i] OP b[i] holds, else 0. Comparisons with NaN are
// false, except `not equal`. Work is shared out, and operands are read, as lib/broadcast.wgsl says. Cost: 12 bytes an element, or
// 8 where the other operand is small.
//
// requires: lib/broadcast.wgsl, lib/nan.wgsl

alias T = f32;
alias V = vec4<T>;

override OP: u32 = 0u;

const EQUAL = 0u;
const NOT_EQUAL = 1u;
const LESS = 2u;
const LESS_EQUAL = 3u;
const GREATER = 4u;
const GREATER_EQUAL = 5u;

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
@group(0) @binding(4) var<storage, read_write> out: array<vec4u>;
@group(0) @binding(5) var<uniform> params: Params;

// The bit test is only asked for floats: a whole number has no NaN, and its bits may look like one.
override IS_FLOAT: bool = true;

fn is_ordered(x: V, y: V) -> vec4<bool> {
  if (!IS_FLOAT) { return vec4<bool>(true); }
  return !(is_nan4(vec4f(x)) | is_nan4(vec4f(y)));
}

fn compute(x: V, y: V) -> vec4<bool> {
  let ordered = is_ordered(x, y);
  switch OP {
    case EQUAL: { return ordered & (x == y); }
    case NOT_EQUAL: { return !ordered | (x != y); }
    case LESS: { return ordered & (x < y); }
    case LESS_EQUAL: { return ordered & (x <= y); }
    case GREATER: { return ordered & (x > y); }
    case GREATER_EQUAL: { return ordered & (x >= y); }
    default: { return vec4<bool>(false); }
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
    out[i] = vec4u(compute(load_a(i, at.a), load_b(i, at.b)));
    walk_on(&walk);
  }
}
