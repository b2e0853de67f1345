// Gradient of a convolution with respect to its weights, in registers: without groups, channels in multiples of 4 on both
// sides. Formula: weight-gradient-direct.wgsl. Rows are taps and channels of x, columns channels of dy.
//
// One invocation makes 8 rows x 8 columns of one part of the sum over pixels (see Params): for each pixel of dy it loads 2 vec4s
// of x, zero outside the image, and 2 of dy, and makes 64 multiplications of them. What lies past the last row or column
// is computed from the last one and not stored.
// Cost: 2 kh kw cin cout flops a pixel of dy; dy is read kh kw cin / 8 times, x kh kw cout / 8 times. The portable variant.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage of x and dy
alias O = f32; // storage of the result
alias V = vec4<T>;

const SIDE = 8u; // invocations of a workgroup in each direction

@group(0) @binding(0) var<storage, read> x: array<V>;              // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> dy: array<V>;             // [batch, out_height, out_width, cout]
@group(0) @binding(2) var<storage, read_write> dw: array<vec4<O>>; // [parts, kh, kw, cin, cout]
@group(0) @binding(3) var<uniform> params: Params;

// 4 rows: a tap and 4 channels of x.
struct RowGroup { ky: u32, kx: u32, channel_group: u32 }

fn row_group(index: u32) -> RowGroup {
  let channels = params.in_channels / 4u;
  let tap = index / channels;
  return RowGroup(tap / params.kernel_width, tap % params.kernel_width, index % channels);
}

fn load(r: RowGroup, image: u32, oy: u32, ox: u32) -> vec4f {
  let y = input_y(oy, r.ky);
  let ix = input_x(ox, r.kx);
  let is_inside = inside(y, params.height) && inside(ix, params.width);
  let pixel = (image * params.height + u32(y)) * params.width + u32(ix);
  return select(vec4f(), vec4f(x[select(0u, pixel * (params.in_channels / 4u) + r.channel_group, is_inside)]), is_inside);
}

fn store(sums: ptr<function, array<vec4f, 8>>, from_sum: u32, group: u32, groups: u32, column: u32, part: u32) {
  let columns = params.out_channels / 4u;
  if (group >= groups || column >= columns) { return; }
  let first = (part * groups + group) * 4u * columns + column;
  for (var i = 0u; i < 4u; i++) { dw[first + i * columns] = vec4<O>((*sums)[from_sum + i]); }
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_id) local_id: vec3u,
) {
  let columns = params.out_channels / 4u;
  let groups = params.kernel_height * params.kernel_width * (params.in_channels / 4u);
  let tiles = (columns + 2u * SIDE - 1u) / (2u * SIDE);
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let group = (tile / tiles * SIDE + local_id.y) * 2u;
  let column = (tile % tiles * SIDE + local_id.x) * 2u;
  if (group >= groups || column >= columns) { return; }
  let r0 = row_group(group);
  let r1 = row_group(min(group + 1u, groups - 1u));
  let c1 = min(column + 1u, columns - 1u);
  let first = workgroup_id.z * params.part_rows;
  let last = min(first + params.part_rows, params.batch * params.out_height);
  var left: array<vec4f, 8>; // 8 rows of the first 4 columns
  var right: array<vec4f, 8>;
  for (var row = first; row < last; row++) {
    let image = row / params.out_height;
    let oy = row % params.out_height;
    for (var ox = 0u; ox < params.out_width; ox++) {
      let dy_at = (row * params.out_width + ox) * columns;
      let b0 = vec4f(dy[dy_at + column]);
      let b1 = vec4f(dy[dy_at + c1]);
      let a0 = load(r0, image, oy, ox);
      let a1 = load(r1, image, oy, ox);
      for (var i = 0u; i < 4u; i++) {
        left[i] = fma(vec4f(a0[i]), b0, left[i]);
        left[i + 4u] = fma(vec4f(a1[i]), b0, left[i + 4u]);
        right[i] = fma(vec4f(a0[i]), b1, right[i]);
        right[i + 4u] = fma(vec4f(a1[i]), b1, right[i + 4u]);
      }
    }
  }
  store(&left, 0u, group, groups, column, workgroup_id.z);
  store(&left, 4u, group + 1u, groups, column, workgroup_id.z);
  store(&right, 0u, group, groups, column + 1u, workgroup_id.z);
  store(&right, 4u, group + 1u, groups, column + 1u, workgroup_id.z);
}
