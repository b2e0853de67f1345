// Repeats a along axes, as NumPy's broadcasting does it, times a number: expand, and the gradient of a sum or a mean, where every
// summand gets the gradient of its sum.
//
//   out[i] = a[i] * scale
//
// Work is shared out, and a is read, as lib/broadcast.wgsl says. Cost: 4 bytes an element written, a read.
//
// requires: lib/broadcast.wgsl

alias T = f32;
alias V = vec4<T>;

override SCALED: bool = true; // without it bits are moved, not numbers

struct Params {
  size: u32, // elements of out
  scale: f32,
  shape: array<vec4<u32>, 2>, // of the walk, as lib/walk.wgsl has them
  jump: array<vec4<u32>, 2>,
  start: vec4<u32>,
  strides: array<vec4<u32>, 8>,
}

@group(0) @binding(0) var<storage, read> a: array<V>;
@group(0) @binding(1) var<storage, read> a_scalars: array<T>; // the same memory
@group(0) @binding(2) var<storage, read_write> out: array<V>;
@group(0) @binding(3) var<uniform> params: Params;

fn load_a(i: u32, at: vec4u) -> V {
  switch LAYOUT_A {
    case WHOLE: { return a[i]; }
    case SINGLE: { return V(a_scalars[0]); }
    case VECTOR: { return a[at.x]; }
    case REPEATED: { return V(a_scalars[at.x]); }
    default: { return V(a_scalars[at.x], a_scalars[at.y], a_scalars[at.z], a_scalars[at.w]); }
  }
}

fn scaled(value: V) -> V {
  if (!SCALED) { return value; }
  return V(vec4f(value) * params.scale);
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
    out[i] = scaled(load_a(i, places(walk).a));
    walk_on(&walk);
  }
}
