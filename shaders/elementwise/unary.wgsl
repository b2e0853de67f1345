// Functions of one real number.
//
//   forward:   out[i] = f(x[i])
//   backward:  dx[i]  = dy[i] * f'(x[i]), where `saved` is x or y = f(x), whichever is the cheaper to differentiate from
//
// Work is shared out as lib/vectors.wgsl says. Cost: forward 8 bytes an element, backward 12; a handful of flops.
//
// requires: lib/vectors.wgsl, lib/nan.wgsl

alias T = f32;
alias V = vec4<T>;

// Which function. An override is known when the pipeline is compiled, so only one case is left.
override OP: u32 = 0u;

const NEG = 0u;
const ABS = 1u;
const EXP = 2u;
const LOG = 3u;
const SQRT = 4u;
const RSQRT = 5u;
const SQUARE = 6u;
const RECIPROCAL = 7u;
const SIN = 8u;
const COS = 9u;
const TANH = 10u;
const SIGMOID = 11u;
const RELU = 12u;
const LEAKY_RELU = 13u;
const ELU = 14u;
const GELU = 15u;
const SILU = 16u;
const SOFTPLUS = 17u;
const CLAMP = 18u;
const SIGN = 19u;
const FLOOR = 20u;
const ROUND = 21u;

struct Params {
  size: u32, // elements
  a: f32,    // leaky relu: negative slope; elu: alpha; softplus: beta; clamp: min
  b: f32,    // clamp: max
}

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(0) var<storage, read> saved: array<V>;
@group(0) @binding(1) var<storage, read> dy: array<V>;
@group(0) @binding(2) var<storage, read_write> out: array<V>;
@group(0) @binding(3) var<uniform> params: Params;

// The normal distribution function, from erfc with |error| < 1.5e-7. erfc rather than 1 + erf, which would lose every digit in
// the left tail. Source: Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 7.1.26.
fn normal_cdf4(v: vec4f) -> vec4f {
  let z = abs(v) * 0.7071067811865476;
  let t = 1.0 / (1.0 + 0.3275911 * z);
  let polynomial = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  let tail = 0.5 * polynomial * exp(-z * z);
  return select(1.0 - tail, tail, v < vec4f(0.0));
}

// exp overflows inside some implementations of tanh; beyond 10 it is 1 to the last bit of an f32.
fn tanh4(v: vec4f) -> vec4f {
  return select(tanh(v), sign(v), abs(v) > vec4f(10.0));
}

fn sigmoid4(v: vec4f) -> vec4f {
  return 1.0 / (1.0 + exp_nan4(-v));
}

// log(1 + e^v) = max(v, 0) + log(1 + e^-|v|), which cannot overflow. log(1 + small) loses digits, the series does not.
fn softplus4(v: vec4f) -> vec4f {
  let e = exp(-abs(v));
  return select(max(v, vec4f(0.0)), v, is_nan4(v)) + select(log(1.0 + e), e - 0.5 * e * e, e < vec4f(1e-3));
}

// e^v - 1; the series keeps the digits that the subtraction loses near 0.
fn expm1_4(v: vec4f) -> vec4f {
  return select(exp_nan4(v) - 1.0, v * (1.0 + v * (0.5 + v * (1.0 / 6.0 + v * (1.0 / 24.0)))), abs(v) < vec4f(0.1));
}

fn compute(v: vec4f) -> vec4f {
  switch OP {
    case NEG: { return -v; }
    case ABS: { return abs(v); }
    case EXP: { return exp_nan4(v); }
    case LOG: { return log_nan4(v); }
    case SQRT: { return sqrt(v); }
    case RSQRT: { return 1.0 / sqrt(v); }
    case SQUARE: { return v * v; }
    case RECIPROCAL: { return 1.0 / v; }
    case SIN: { return sin(v); }
    case COS: { return cos(v); }
    case TANH: { return tanh4(v); }
    case SIGMOID: { return sigmoid4(v); }
    case RELU: { return select(v, vec4f(0.0), v <= vec4f(0.0)); }
    case LEAKY_RELU: { return select(v, params.a * v, v < vec4f(0.0)); }
    case ELU: { return select(v, params.a * expm1_4(v), v < vec4f(0.0)); }
    case GELU: { return v * normal_cdf4(v); }
    case SILU: { return v * sigmoid4(v); }
    case SOFTPLUS: { return softplus4(params.a * v) / params.a; }
    case CLAMP: { return select(select(v, vec4f(params.a), v < vec4f(params.a)), vec4f(params.b), v > vec4f(params.b)); }
    case SIGN: { return select(sign(v), v, is_nan4(v)); }
    case FLOOR: { return floor(v); }
    case ROUND: { return round(v); }
    default: { return v; }
  }
}

// f' from x ("s = x") or from y ("s = y"); engine/ops/unary.ts says which one each op saves.
fn derivative(s: vec4f) -> vec4f {
  switch OP {
    case NEG: { return vec4f(-1.0); }
    case ABS: { return sign(s); }                                     // s = x
    case EXP: { return s; }                                           // s = y
    case LOG: { return 1.0 / s; }                                     // s = x
    case SQRT: { return 0.5 / s; }                                    // s = y
    case RSQRT: { return -0.5 * s * s * s; }                          // s = y
    case SQUARE: { return 2.0 * s; }                                  // s = x
    case RECIPROCAL: { return -s * s; }                               // s = y
    case SIN: { return cos(s); }                                      // s = x
    case COS: { return -sin(s); }                                     // s = x
    case TANH: { return 1.0 - s * s; }                                // s = y
    case SIGMOID: { return s * (1.0 - s); }                           // s = y
    case RELU: { return select(vec4f(1.0), vec4f(0.0), s <= vec4f(0.0)); }         // s = y
    case LEAKY_RELU: { return select(vec4f(1.0), vec4f(params.a), s < vec4f(0.0)); } // s = x
    case ELU: { return select(vec4f(1.0), s + params.a, s < vec4f(0.0)); }         // s = y
    case GELU: { return normal_cdf4(s) + s * 0.3989422804014327 * exp(-0.5 * s * s); } // s = x
    case SILU: { let g = sigmoid4(s); return g * (1.0 + s * (1.0 - g)); }          // s = x
    case SOFTPLUS: { return sigmoid4(params.a * s); }                 // s = x
    case CLAMP: { return select(vec4f(1.0), vec4f(0.0), (s < vec4f(params.a)) | (s > vec4f(params.b))); } // s = x
    default: { return vec4f(0.0); }                                   // steps
  }
}

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, (params.size + 3u) / 4u);
  for (var i = span.first; i < span.end; i += WORKGROUP) { out[i] = V(compute(vec4f(x[i]))); }
}

@compute @workgroup_size(WORKGROUP)
fn backward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let span = span_of(workgroup_id, num_workgroups, local_index, (params.size + 3u) / 4u);
  for (var i = span.first; i < span.end; i += WORKGROUP) {
    out[i] = V(vec4f(dy[i]) * derivative(vec4f(saved[i])));
  }
}
