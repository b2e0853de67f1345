// NaN and infinity by bit pattern. WGSL lets a compiler assume that neither occurs, so `x != x` may be folded to false and
// max(NaN, 1) may be 1; a test of the bits cannot be folded. Source: IEEE 754-2019, 3.4; WGSL, 15.7.2.

const EXPONENT_BITS = 0x7f800000u;
const NAN_BITS = 0x7fc00000u;

fn is_nan(x: f32) -> bool {
  return (bitcast<u32>(x) & 0x7fffffffu) > EXPONENT_BITS;
}

fn is_nan4(x: vec4f) -> vec4<bool> {
  return (bitcast<vec4u>(x) & vec4u(0x7fffffffu)) > vec4u(EXPONENT_BITS);
}

fn is_finite(x: f32) -> bool {
  return (bitcast<u32>(x) & EXPONENT_BITS) != EXPONENT_BITS;
}

// max and min as PyTorch has them: NaN if either is NaN.
fn max_nan4(a: vec4f, b: vec4f) -> vec4f {
  return select(select(max(a, b), b, is_nan4(b)), a, is_nan4(a));
}

fn min_nan4(a: vec4f, b: vec4f) -> vec4f {
  return select(select(min(a, b), b, is_nan4(b)), a, is_nan4(a));
}

fn max_nan(a: f32, b: f32) -> f32 {
  return select(select(max(a, b), b, is_nan(b)), a, is_nan(a));
}

fn min_nan(a: f32, b: f32) -> f32 {
  return select(select(min(a, b), b, is_nan(b)), a, is_nan(a));
}

// exp and log as IEEE has them. WGSL leaves open what they make of NaN, infinity and 0, and there are adapters where exp(NaN) is
// infinity, log(NaN) 89 and log(0) -88.
fn exp_nan4(x: vec4f) -> vec4f {
  return select(exp(x), x, is_nan4(x));
}

fn exp_nan(x: f32) -> f32 {
  return select(exp(x), x, is_nan(x));
}

fn log_nan4(x: vec4f) -> vec4f {
  let bits = bitcast<vec4u>(x);
  let magnitude = bits & vec4u(0x7fffffffu);
  // From the bits of x, because a constant expression must not be infinite: NaN for a negative x, -infinity for 0.
  let negative = bitcast<vec4f>(vec4u(NAN_BITS) | bits);
  let zero = bitcast<vec4f>(vec4u(0x80000000u | EXPONENT_BITS) | magnitude);
  let finite = select(log(x), zero, magnitude == vec4u(0u));
  let positive = select(finite, x, magnitude >= vec4u(EXPONENT_BITS));
  return select(positive, negative, bits > vec4u(0x80000000u));
}

fn log_nan(x: f32) -> f32 {
  return log_nan4(vec4f(x)).x;
}
