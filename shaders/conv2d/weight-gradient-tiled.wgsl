// Gradient of a convolution with respect to its weights by tiles in workgroup memory, without groups, channels of dy in multiples
// of 4. Formula: weight-gradient-direct.wgsl. Rows are taps and channels of x in the order of w, columns channels of dy, k
// runs over the pixels of dy, row after row and image after image.
//
// A workgroup makes 64 rows x 64 columns of one part of the sum (see Params): lib/workgroup-tile.wgsl. For each 16 pixels every
// invocation loads 4 rows for 4 pixels of x, zero outside the image, turned round in registers: vec4s where 4 divides the
// channels of x (PACKED), else one by one; and 4 vec4s of dy.
// Cost: 2 kh kw cin cout flops a pixel of dy; dy is read kh kw cin / 64 times, x kh kw cout / 64 times. The variant for GPUs.
//
// requires: lib/grid.wgsl
// requires: lib/workgroup-tile.wgsl
// requires: conv2d/geometry.wgsl
// requires: conv2d/weight-rows.wgsl

alias T = f32; // storage of x and dy
alias O = f32; // storage of the result
alias V = vec4<T>;

@group(0) @binding(0) var<storage, read> x: array<V>;              // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> x_scalars: array<T>;      // the same
@group(0) @binding(2) var<storage, read> dy: array<V>;             // [batch, out_height, out_width, cout]
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<O>>; // [parts, kh, kw, cin, cout]
@group(0) @binding(4) var<uniform> params: Params;

fn load_dy(pixel: u32, end: u32, group: u32, groups: u32) -> vec4f {
  let is_real = pixel < end && group < groups;
  return select(vec4f(), vec4f(dy[select(0u, pixel * groups + group, is_real)]), is_real);
}

// The rows' elements at pixel number `index` of dy.
fn load_x(rows: FourRows, index: u32, end: u32) -> vec4f {
  return met_by(rows, pixel_at(index, params.out_height, params.out_width), index < end);
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_id) local_id: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let rows = params.kernel_height * params.kernel_width * params.in_channels;
  let out_groups = params.out_channels / 4u;
  let tiles = (out_groups + COLUMN_GROUPS - 1u) / COLUMN_GROUPS;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let first_row = tile / tiles * tile_rows();
  let first_group = tile % tiles * COLUMN_GROUPS;
  let first = workgroup_id.z * params.part_rows * params.out_width;
  let end = min(first + params.part_rows * params.out_width, params.batch * params.out_height * params.out_width);
  // What the invocation loads of x: 4 rows, and 4 of the 16 pixels.
  let quarter = local_index % STEP_GROUPS;
  let loaded = 4u * (local_index / STEP_GROUPS);
  let loaded_rows = four_rows_at(first_row + loaded, rows);
  var sums: Sums;
  for (var pixel = first; pixel < end; pixel += STEP) {
    let own = pixel + 4u * quarter;
    // A loop: written out four times it takes SwiftShader minutes to compile.
    var columns: array<vec4f, 4>;
    for (var i = 0u; i < 4u; i++) { columns[i] = load_x(loaded_rows, own + i, end); }
    let values = transpose(mat4x4f(columns[0], columns[1], columns[2], columns[3]));
    set_a(loaded, quarter, values[0]);
    set_a(loaded + 1u, quarter, values[1]);
    set_a(loaded + 2u, quarter, values[2]);
    set_a(loaded + 3u, quarter, values[3]);
    for (var f = local_index; f < STEP * COLUMN_GROUPS; f += INVOCATIONS) {
      let group = f % COLUMN_GROUPS;
      set_b(f / COLUMN_GROUPS, group, load_dy(pixel + f / COLUMN_GROUPS, end, first_group + group, out_groups));
    }
    workgroupBarrier();
    multiply_tiles(&sums, local_id);
    workgroupBarrier();
  }
  for (var i = 0u; i < OWN_ROWS; i++) {
    let row = first_row + own_row(local_id, i);
    for (var j = 0u; j < 2u; j++) {
      let group = first_group + own_group(local_id, j);
      if (row < rows && group < out_groups) {
        dw[(workgroup_id.z * rows + row) * out_groups + group] = vec4<O>(sums[2u * i + j]);
      }
    }
  }
}
