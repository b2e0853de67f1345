// Functions of two real numbers, with NumPy's broadcasting.
//
//   out[i] = f(a[i], b[i])
//
// `same`: equal shapes; one invocation makes VECTORS vec4s, a workgroup apart.
// `repeat`: b repeats along the leading axes (a bias, a scalar): out[i] = f(a[i], b[i mod period]).
// `broadcast`: any shapes that broadcast; one invocation makes 4 neighbouring elements and finds each by strides.
// Cost: 12 bytes an element, one flop.
//
// requires: lib/grid.wgsl
// requires: lib/nan.wgsl

alias T = f32;
alias V = vec4<T>;

const WORKGROUP = 64u;
const VECTORS = 4u;

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
  size: u32,   // elements of out
  period: u32, // repeat: elements of b
  rank: u32,   // broadcast: axes of out
  shape: array<vec4<u32>, 2>,     // broadcast: sizes of out
  a_strides: array<vec4<u32>, 2>, // broadcast: in elements, 0 along repeated axes
  b_strides: array<vec4<u32>, 2>,
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

fn vector_index(workgroup_id: vec3u, num_workgroups: vec3u, local_index: u32, j: u32) -> u32 {
  return (linear_workgroup(workgroup_id, num_workgroups) * VECTORS + j) * WORKGROUP + local_index;
}

@compute @workgroup_size(WORKGROUP)
fn same(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let end = (params.size + 3u) / 4u;
  for (var j = 0u; j < VECTORS; j++) {
    let i = vector_index(workgroup_id, num_workgroups, local_index, j);
    if (i < end) { out[i] = V(compute(vec4f(a[i]), vec4f(b[i]))); }
  }
}

fn repeated(first: u32) -> vec4f {
  if (params.period % 4u == 0u) { return vec4f(b[(first % params.period) / 4u]); }
  return vec4f(
    f32(b_scalars[first % params.period]),
    f32(b_scalars[(first + 1u) % params.period]),
    f32(b_scalars[(first + 2u) % params.period]),
    f32(b_scalars[(first + 3u) % params.period]),
  );
}

@compute @workgroup_size(WORKGROUP)
fn repeat(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let end = (params.size + 3u) / 4u;
  for (var j = 0u; j < VECTORS; j++) {
    let i = vector_index(workgroup_id, num_workgroups, local_index, j);
    if (i < end) { out[i] = V(compute(vec4f(a[i]), repeated(4u * i))); }
  }
}

@compute @workgroup_size(WORKGROUP)
fn broadcast(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (4u * i >= params.size) { return; }
  var x: vec4f;
  var y: vec4f;
  for (var lane = 0u; lane < 4u; lane++) {
    var rest = 4u * i + lane;
    var at = vec2u(0u);
    for (var axis = params.rank; axis > 0u; axis--) {
      let word = (axis - 1u) / 4u;
      let part = (axis - 1u) % 4u;
      let size = params.shape[word][part];
      let outer = rest / size;
      at += (rest - outer * size) * vec2u(params.a_strides[word][part], params.b_strides[word][part]);
      rest = outer;
    }
    x[lane] = f32(a_scalars[at.x]);
    y[lane] = f32(b_scalars[at.y]);
  }
  out[i] = V(compute(x, y));
}
