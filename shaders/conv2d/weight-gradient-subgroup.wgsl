enable subgroups;

// Gradient of a convolution with respect to its weights as a matrix product on subgroups of 8, without groups, channels of dy in
// multiples of 4. Formula: weight-gradient-direct.wgsl. Rows are taps and channels of x in the order of w, columns
// channels of dy, k runs over the pixels of dy.
//
// One subgroup, which is a whole workgroup, makes 32 rows x 32 (or 16) columns of one part of the sum (see Params), 4
// pixels of a row of dy at a time: each lane loads its own 4 rows of x for each pixel, zero outside the image, as one vec4
// where 4 divides the channels of x (PACKED), else one by one; and 4 (or 2) vec4s of dy, which all lanes share by shuffles:
// lib/subgroup-tile.wgsl. What lies past the last row or column is computed from the last one and not stored.
// Cost: 2 kh kw cin cout flops a pixel of dy; dy is read kh kw cin / 32 times, x kh kw cout / 32 times.
//
// requires: lib/grid.wgsl
// requires: lib/subgroup-tile.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage of x and dy
alias O = f32; // storage of the result
alias V = vec4<T>;

override PACKED: bool = true;

@group(0) @binding(0) var<storage, read> x: array<V>;              // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> x_scalars: array<T>;      // the same
@group(0) @binding(2) var<storage, read> dy: array<V>;             // [batch, out_height, out_width, cout]
@group(0) @binding(3) var<storage, read_write> dw: array<vec4<O>>; // [parts, kh, kw, cin, cout]
@group(0) @binding(4) var<uniform> params: Params;

// A row of the product: a tap and a channel of x.
struct Row { ky: u32, kx: u32, channel: u32 }

fn row_at(index: u32) -> Row {
  let tap = index / params.in_channels;
  return Row(tap / params.kernel_width, tap % params.kernel_width, index % params.in_channels);
}

// Where a row's element for pixel (oy, 0) of an image is in x, in elements, and whether this line of x exists.
struct Line { first: i32, inside: bool, left: i32 }

fn line_of(r: Row, image: u32, oy: u32) -> Line {
  let y = input_y(oy, r.ky);
  let left = input_x(0u, r.kx);
  let first = (i32(image * params.height) + y) * i32(params.width) * i32(params.in_channels) + i32(r.channel);
  return Line(first, inside(y, params.height), left);
}

// Whether pixel ox of dy meets the image, and where.
fn is_met(line: Line, ox: u32) -> bool {
  return line.inside && ox < params.out_width && inside(line.left + i32(ox * params.stride_x), params.width);
}

fn place(line: Line, ox: u32) -> u32 {
  return u32(line.first + (line.left + i32(ox * params.stride_x)) * i32(params.in_channels));
}

fn load_scalar(line: Line, ox: u32) -> f32 {
  let met = is_met(line, ox);
  return select(0.0, f32(x_scalars[select(0u, place(line, ox), met)]), met);
}

// The lane's 4 rows at pixel ox.
fn load(l0: Line, l1: Line, l2: Line, l3: Line, ox: u32) -> vec4f {
  if (PACKED) {
    let met = is_met(l0, ox);
    return select(vec4f(), vec4f(x[select(0u, place(l0, ox) / 4u, met)]), met);
  }
  return vec4f(load_scalar(l0, ox), load_scalar(l1, ox), load_scalar(l2, ox), load_scalar(l3, ox));
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
  let r0 = row_at(min(own, rows - 1u));
  let r1 = row_at(min(own + 1u, rows - 1u));
  let r2 = row_at(min(own + 2u, rows - 1u));
  let r3 = row_at(min(own + 3u, rows - 1u));
  let first = workgroup_id.z * params.part_rows;
  let last = min(first + params.part_rows, params.batch * params.out_height);
  var image = first / params.out_height;
  var oy = first % params.out_height;
  // One loop, not one over rows and one along them: the compiler would carry the whole tile from the one to the other.
  let steps = (last - min(first, last)) * ((params.out_width + 3u) / 4u);
  var row = first;
  var ox = 0u;
  var acc: Tile;
  for (var step = 0u; step < steps; step++) {
    let l0 = line_of(r0, image, oy);
    let l1 = line_of(r1, image, oy);
    let l2 = line_of(r2, image, oy);
    let l3 = line_of(r3, image, oy);
    var columns: Columns;
    for (var j = 0u; j < COLUMN_GROUPS / 2u; j++) {
      let f = j * LANES + lane;
      let pixel = ox + f / COLUMN_GROUPS;
      let column = min(group + f % COLUMN_GROUPS, out_groups - 1u);
      let is_real = pixel < params.out_width;
      let at = (row * params.out_width + select(0u, pixel, is_real)) * out_groups + column;
      columns[j] = select(vec4f(), vec4f(dy[at]), is_real);
    }
    let values = transpose(mat4x4f(
      load(l0, l1, l2, l3, ox),
      load(l0, l1, l2, l3, ox + 1u),
      load(l0, l1, l2, l3, ox + 2u),
      load(l0, l1, l2, l3, ox + 3u),
    ));
    multiply_by_columns(&acc, Rows(values[0], values[1], values[2], values[3]), columns);
    ox += 4u;
    let row_done = ox >= params.out_width;
    ox = select(ox, 0u, row_done);
    row += u32(row_done);
    oy += u32(row_done);
    let image_done = oy == params.out_height;
    oy = select(oy, 0u, image_done);
    image += u32(image_done);
  }
  for (var p = 0u; p < ROWS_PER_LANE; p++) {
    if (own + p < rows) {
      let at = (workgroup_id.z * rows + own + p) * out_groups + group;
      for (var q = 0u; q < min(COLUMN_GROUPS, out_groups - group); q++) {
        dw[at + q] = vec4<O>(acc[8u * p + q]);
      }
    }
  }
}
