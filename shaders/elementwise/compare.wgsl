// Comparisons of two numbers with NumPy's broadcasting: out[i] = 1 where a[i] OP b[i] holds, else 0. Comparisons with NaN are
// false, except `not equal`. One invocation makes one element and finds its operands by strides. Cost: 12 bytes an element.
//
// requires: lib/grid.wgsl
// requires: lib/nan.wgsl

alias T = f32;

const WORKGROUP = 64u;

override OP: u32 = 0u;

const EQUAL = 0u;
const NOT_EQUAL = 1u;
const LESS = 2u;
const LESS_EQUAL = 3u;
const GREATER = 4u;
const GREATER_EQUAL = 5u;

struct Params {
  size: u32, // elements of out
  rank: u32, // axes of out
  shape: array<vec4<u32>, 2>,
  a_strides: array<vec4<u32>, 2>, // in elements, 0 along repeated axes
  b_strides: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<storage, read> a: array<T>;
@group(0) @binding(1) var<storage, read> b: array<T>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
@group(0) @binding(3) var<uniform> params: Params;

// The bit test is only asked for floats: a whole number has no NaN, and its bits may look like one.
override IS_FLOAT: bool = true;

fn compute(x: T, y: T) -> bool {
  let ordered = !IS_FLOAT || !(is_nan(f32(x)) || is_nan(f32(y)));
  switch OP {
    case EQUAL: { return ordered && x == y; }
    case NOT_EQUAL: { return !ordered || x != y; }
    case LESS: { return ordered && x < y; }
    case LESS_EQUAL: { return ordered && x <= y; }
    case GREATER: { return ordered && x > y; }
    case GREATER_EQUAL: { return ordered && x >= y; }
    default: { return false; }
  }
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.size) { return; }
  var rest = i;
  var at = vec2u(0u);
  for (var axis = params.rank; axis > 0u; axis--) {
    let word = (axis - 1u) / 4u;
    let part = (axis - 1u) % 4u;
    let size = params.shape[word][part];
    let outer = rest / size;
    at += (rest - outer * size) * vec2u(params.a_strides[word][part], params.b_strides[word][part]);
    rest = outer;
  }
  out[i] = u32(compute(a[at.x], b[at.y]));
}
