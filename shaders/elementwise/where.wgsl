// Choice by a mask with NumPy's broadcasting: out[i] = a[i] where condition[i] is not 0, else b[i]. Bits are moved, not numbers.
// Work is shared out, and operands are read, as lib/broadcast.wgsl says; c is the condition. Cost: 16 bytes an element, less
// where an operand is small.
//
// requires: lib/broadcast.wgsl

alias T = u32; // f16 for elements of two bytes
alias V = vec4<T>;

struct Params {
  size: u32, // elements of out
  shape: array<vec4<u32>, 2>, // of the walk, as lib/walk.wgsl has them
  jump: array<vec4<u32>, 2>,
  start: vec4<u32>,
  strides: array<vec4<u32>, 8>,
}

@group(0) @binding(0) var<storage, read> a: array<V>;
@group(0) @binding(1) var<storage, read> b: array<V>;
@group(0) @binding(2) var<storage, read> c: array<vec4u>;
@group(0) @binding(3) var<storage, read> a_scalars: array<T>; // the same memory
@group(0) @binding(4) var<storage, read> b_scalars: array<T>;
@group(0) @binding(5) var<storage, read> c_scalars: array<u32>;
@group(0) @binding(6) var<storage, read_write> out: array<V>;
@group(0) @binding(7) var<uniform> params: Params;

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

fn load_c(i: u32, at: vec4u) -> vec4u {
  switch LAYOUT_C {
    case WHOLE: { return c[i]; }
    case SINGLE: { return vec4u(c_scalars[0]); }
    case VECTOR: { return c[at.x]; }
    case REPEATED: { return vec4u(c_scalars[at.x]); }
    default: {
      return vec4u(c_scalars[at.x], c_scalars[at.y], c_scalars[at.z], c_scalars[at.w]);
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
    let condition = load_c(i, at.c) != vec4u(0u);
    out[i] = select(load_b(i, at.b), load_a(i, at.a), condition);
    walk_on(&walk);
  }
}
