enable subgroups;

// Gradient of a convolution with respect to its weights as a matrix product on subgroups of 8, without groups, channels of dy in
// multiples of 4. Formula: weight-gradient-direct.wgsl. Rows are taps and channels of x in the order of w, columns
// channels of dy, k runs over the pixels of dy, row after row and image after image.
//
// One subgroup, which is a whole workgroup, makes 32 rows x 32 (or 16) columns of one part of the sum (see Params), 4
// pixels of dy at a time: each lane loads its own 4 rows of x for each pixel, zero outside the image, as one vec4
// where 4 divides the channels of x (PACKED), else one by one; and 4 (or 2) vec4s of dy, which all lanes share by shuffles:
// lib/subgroup-tile.wgsl. What lies past the last row or column is computed from the last one and not stored.
// Cost: 2 kh kw cin cout flops a pixel of dy; dy is read kh kw cin / 32 times, x kh kw cout / 32 times.
//
// requires: lib/grid.wgsl
// requires: lib/subgroup-tile.wgsl
// requires: conv2d/geometry.wgsl
// requires: conv2d/weight-rows.wgsl

alias T = f32; // storage of x and dy
alias O = f32; // storage of the result
alias V = vec4<T>;

// The rows of dy are a multiple of 4 long, so that a step of 4 pixels is never cut.
override WHOLE_STEPS: bool = false;

@group(0) @binding(0) var<storage, read> x: array<V>;              // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> x_scalars: array<T>;      // the same
@group(0) @binding(2) var<storage, read> dy: array<V>;             // [batch, out_height, out_width, cout]
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<O>>; // [parts, kh, kw, cin, cout]
@group(0) @binding(4) var<uniform> params: Params;

// The pixel of dy after p, in the order of memory.
fn next_pixel(p: Pixel) -> Pixel {
  let row_done = p.x + 1u == params.out_width;
  let image_done = row_done && p.y + 1u == params.out_height;
  return Pixel(
    p.image + u32(image_done),
    select(p.y + u32(row_done), 0u, image_done),
    select(p.x + 1u, 0u, row_done),
  );
}

// The same within a step.
fn next_in_step(p: Pixel) -> Pixel {
  if (WHOLE_STEPS) { return Pixel(p.image, p.y, p.x + 1u); }
  return next_pixel(p);
}

fn load_dy(at: u32, pixel: u32, end: u32) -> vec4f {
  let is_real = WHOLE_STEPS || pixel < end;
  return select(vec4f(), vec4f(dy[select(0u, at, is_real)]), is_real);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let rows = params.kernel_height * params.kernel_width * params.in_channels;
  let out_groups = params.out_channels / 4u;
  let tiles = (out_groups + COLUMN_GROUPS - 1u) / COLUMN_GROUPS;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let own = tile / tiles * TILE_ROWS + lane * ROWS_PER_LANE;
  let group = tile % tiles * COLUMN_GROUPS;
  let own_rows = four_rows_at(own, rows);
  let first = workgroup_id.z * params.part_rows * params.out_width;
  let end = min(first + params.part_rows * params.out_width, params.batch * params.out_height * params.out_width);
  // Where the lane's vectors of dy are in the first step; columns past the end are not stored.
  let f = lane + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
  let ahead = f / COLUMN_GROUPS;
  var dy_at = (first + ahead) * out_groups + min(group + f % COLUMN_GROUPS, vec4u(out_groups - 1u));
  var p0 = pixel_at(first, params.out_height, params.out_width);
  var acc: Tile;
  // One loop, not one over rows and one along them: the compiler would carry the whole tile from the one to the other.
  for (var pixel = first; pixel < end; pixel += 4u) {
    var columns: Columns;
    columns[0] = load_dy(dy_at.x, pixel + ahead.x, end);
    columns[1] = load_dy(dy_at.y, pixel + ahead.y, end);
    if (COLUMN_GROUPS > 4u) {
      columns[2] = load_dy(dy_at.z, pixel + ahead.z, end);
      columns[3] = load_dy(dy_at.w, pixel + ahead.w, end);
    }
    let p1 = next_in_step(p0);
    let p2 = next_in_step(p1);
    let p3 = next_in_step(p2);
    let values = transpose(mat4x4f(
      met_by(own_rows, p0, true),
      met_by(own_rows, p1, WHOLE_STEPS || pixel + 1u < end),
      met_by(own_rows, p2, WHOLE_STEPS || pixel + 2u < end),
      met_by(own_rows, p3, WHOLE_STEPS || pixel + 3u < end),
    ));
    multiply_by_columns(&acc, Rows(values[0], values[1], values[2], values[3]), columns);
    dy_at += 4u * out_groups;
    p0 = next_pixel(p3);
  }
  var sums = acc; // see lib/subgroup-tile.wgsl
  var row_sums = 0u;
  for (var row = own; row < min(own + ROWS_PER_LANE, rows); row++) {
    let at = (workgroup_id.z * rows + row) * out_groups;
    for (var q = group; q < min(group + COLUMN_GROUPS, out_groups); q++) {
      dw[at + q] = vec4<O>(sums[row_sums + q - group]);
    }
    row_sums += ROW_SUMS;
  }
}
