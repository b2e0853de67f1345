// Choice by a mask with NumPy's broadcasting: out[i] = a[i] where condition[i] is not 0, else b[i]. NaN passes unchanged.
// One invocation makes one element and finds its operands by strides. Cost: 16 bytes an element.
//
// requires: lib/grid.wgsl

alias T = f32;

const WORKGROUP = 64u;

struct Params {
  size: u32, // elements of out
  rank: u32, // axes of out
  shape: array<vec4<u32>, 2>,
  condition_strides: array<vec4<u32>, 2>, // in elements, 0 along repeated axes
  a_strides: array<vec4<u32>, 2>,
  b_strides: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<storage, read> condition: array<u32>;
@group(0) @binding(1) var<storage, read> a: array<T>;
@group(0) @binding(2) var<storage, read> b: array<T>;
@group(0) @binding(3) var<storage, read_write> out: array<T>;
@group(0) @binding(4) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let i = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (i >= params.size) { return; }
  var rest = i;
  var at = vec3u(0u);
  for (var axis = params.rank; axis > 0u; axis--) {
    let word = (axis - 1u) / 4u;
    let part = (axis - 1u) % 4u;
    let size = params.shape[word][part];
    let outer = rest / size;
    let strides = vec3u(
      params.condition_strides[word][part],
      params.a_strides[word][part],
      params.b_strides[word][part],
    );
    at += (rest - outer * size) * strides;
    rest = outer;
  }
  if (condition[at.x] != 0u) { out[i] = a[at.y]; } else { out[i] = b[at.z]; }
}
