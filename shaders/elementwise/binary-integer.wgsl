// Functions of two whole numbers, with NumPy's broadcasting; see binary.wgsl. Division truncates towards 0, and by 0 it gives
// the dividend, as WGSL has it.
//
// requires: lib/grid.wgsl

alias T = i32;
alias V = vec4<T>;

const WORKGROUP = 64u;

override OP: u32 = 0u;

const ADD = 0u;
const SUB = 1u;
const MUL = 2u;
const DIV = 3u;
const MAXIMUM = 5u;
const MINIMUM = 6u;

struct Params {
  size: u32, // elements of out
  rank: u32, // axes of out
  shape: array<vec4<u32>, 2>,
  a_strides: array<vec4<u32>, 2>, // in elements, 0 along repeated axes
  b_strides: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<storage, read> a: array<T>;
@group(0) @binding(1) var<storage, read> b: array<T>;
@group(0) @binding(2) var<storage, read_write> out: array<T>;
@group(0) @binding(3) var<uniform> params: Params;

fn compute(x: T, y: T) -> T {
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

@compute @workgroup_size(WORKGROUP)
fn broadcast(
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
  out[i] = compute(a[at.x], b[at.y]);
}
