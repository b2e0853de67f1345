// Functions of two real numbers, with NumPy's broadcasting.
//
//   out[i] = f(a[i], b[i])
//
// Work is shared out, and operands are read, as lib/broadcast.wgsl says. Cost: 12 bytes an element, or 8 where the other operand
// is small; one flop.
//
// requires: lib/broadcast.wgsl, lib/nan.wgsl

alias T = f32;
alias V = vec4<T>;

// Which function; one case is left after compiling.
override OP: u32 = 0u;

const ADD = 0u;
const SUB = 1u;
const MUL = 2u;
const DIV = 3u;
const POW = 4u;
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

// WGSL's pow is exp2(y log2 x), which has no value for negative x; IEEE defines it for whole y.
fn pow4(x: vec4f, y: vec4f) -> vec4f {
  let magnitude = select(pow(abs(x), y), vec4f(1.0), abs(x) == vec4f(1.0)); // 1^inf, too
  let odd = abs(y - 2.0 * floor(0.5 * y)) == vec4f(1.0);
  let whole = floor(y) == y;
  let undefined = bitcast<vec4f>(vec4u(NAN_BITS) | (bitcast<vec4u>(x) & vec4u(0x80000000u)));
  let negative = select(undefined, select(magnitude, -magnitude, odd), whole);
  let signed = select(magnitude, negative, x < vec4f(0.0));
  // Odd powers of -0 keep its sign.
  let zero = select(abs(x), x, odd);
  let zero_base = select(zero, 1.0 / zero, y < vec4f(0.0));
  let result = select(signed, zero_base, x == vec4f(0.0));
  let with_nan = select(select(result, y, is_nan4(y)), x, is_nan4(x));
  return select(with_nan, vec4f(1.0), (y == vec4f(0.0)) | (x == vec4f(1.0)));
}

fn compute(x: vec4f, y: vec4f) -> vec4f {
  switch OP {
    case ADD: { return x + y; }
    case SUB: { return x - y; }
    case MUL: { return x * y; }
    case DIV: { return x / y; }
    case POW: { return pow4(x, y); }
    case MAXIMUM: { return max_nan4(x, y); }
    case MINIMUM: { return min_nan4(x, y); }
    default: { return x; }
  }
}

fn load_a(i: u32, at: vec4u) -> vec4f {
  switch LAYOUT_A {
    case WHOLE: { return vec4f(a[i]); }
    case SINGLE: { return vec4f(f32(a_scalars[0])); }
    case VECTOR: { return vec4f(a[at.x]); }
    case REPEATED: { return vec4f(f32(a_scalars[at.x])); }
    default: {
      return vec4f(f32(a_scalars[at.x]), f32(a_scalars[at.y]), f32(a_scalars[at.z]), f32(a_scalars[at.w]));
    }
  }
}

fn load_b(i: u32, at: vec4u) -> vec4f {
  switch LAYOUT_B {
    case WHOLE: { return vec4f(b[i]); }
    case SINGLE: { return vec4f(f32(b_scalars[0])); }
    case VECTOR: { return vec4f(b[at.x]); }
    case REPEATED: { return vec4f(f32(b_scalars[at.x])); }
    default: {
      return vec4f(f32(b_scalars[at.x]), f32(b_scalars[at.y]), f32(b_scalars[at.z]), f32(b_scalars[at.w]));
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
    out[i] = V(compute(load_a(i, at.a), load_b(i, at.b)));
    walk_on(&walk);
  }
}
