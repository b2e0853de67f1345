enable subgroups;

// Gradient of a convolution with respect to its input as a matrix product on subgroups of 8, without groups, channels in
// multiples of 4 on both sides. Formula: input-gradient-direct.wgsl. Rows are pixels of one phase of dx (see Params),
// columns its channels, k runs over the taps that reach the phase and the channels of dy.
//
// One subgroup, which is a whole workgroup, makes 32 pixels x 32 (or 16) channels, 4 channels of dy at a time: each lane
// loads a vec4 of dy for each of its 4 pixels, zero outside, and 4 (or 2) vec4s of w along the channels of dy, which all
// lanes share by shuffles: lib/subgroup-tile.wgsl.
// Cost: 2 kh kw cin cout / (stride_y stride_x) flops a pixel.
//
// requires: lib/grid.wgsl
// requires: lib/subgroup-tile.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage; sums are f32
alias V = vec4<T>;

@group(0) @binding(0) var<storage, read> dy: array<V>;       // [batch, out_height, out_width, cout]
@group(0) @binding(1) var<storage, read> w: array<V>;        // [kh, kw, cin, cout]
@group(0) @binding(2) var<storage, read_write> dx: array<V>; // [batch, height, width, cin]
@group(0) @binding(3) var<uniform> params: Params;

// A place in dy: vec4 number `at`, if `inside`.
struct Place { at: u32, inside: bool }

fn place_of(p: Pixel, down: i32, right: i32) -> Place {
  let oy = i32(p.y) + down;
  let ox = i32(p.x) + right;
  let is_inside = p.image < params.batch && inside(oy, params.out_height) && inside(ox, params.out_width);
  let pixel = (p.image * params.out_height + u32(oy)) * params.out_width + u32(ox);
  return Place(select(0u, pixel * (params.out_channels / 4u), is_inside), is_inside);
}

fn load(place: Place, c: u32) -> vec4f {
  return select(vec4f(), vec4f(dy[place.at + c]), place.inside);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let in_groups = params.in_channels / 4u;
  let out_groups = params.out_channels / 4u;
  let tiles = (in_groups + COLUMN_GROUPS - 1u) / COLUMN_GROUPS;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let first = tile / tiles * TILE_ROWS;
  let group = tile % tiles * COLUMN_GROUPS;
  let corner = pixel_at(first, params.phase_height, params.phase_width);
  let p0 = pixel_after(corner, lane, params.phase_height, params.phase_width);
  let p1 = pixel_after(corner, lane + LANES, params.phase_height, params.phase_width);
  let p2 = pixel_after(corner, lane + 2u * LANES, params.phase_height, params.phase_width);
  let p3 = pixel_after(corner, lane + 3u * LANES, params.phase_height, params.phase_width);
  // Where the lane's vectors of w are, without tap and channels of dy; columns past the end are not stored.
  let f = lane + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
  let w_own = min(group * 4u + f, vec4u(params.in_channels - 1u)) * out_groups;
  var acc: Tile;
  var down = params.shift_y;
  for (var ky = params.tap_y; ky < params.kernel_height; ky += params.tap_step_y) {
    var right = params.shift_x;
    for (var kx = params.tap_x; kx < params.kernel_width; kx += params.tap_step_x) {
      let d0 = place_of(p0, down, right);
      let d1 = place_of(p1, down, right);
      let d2 = place_of(p2, down, right);
      let d3 = place_of(p3, down, right);
      let w_tap = w_own + (ky * params.kernel_width + kx) * params.in_channels * out_groups;
      for (var c = 0u; c < out_groups; c++) {
        let at = w_tap + c;
        var columns: Columns;
        columns[0] = vec4f(w[at.x]);
        columns[1] = vec4f(w[at.y]);
        if (COLUMN_GROUPS > 4u) {
          columns[2] = vec4f(w[at.z]);
          columns[3] = vec4f(w[at.w]);
        }
        multiply_by_rows(&acc, Rows(load(d0, c), load(d1, c), load(d2, c), load(d3, c)), columns);
      }
      right -= i32(params.shift_step_x);
    }
    down -= i32(params.shift_step_y);
  }
  let end = min(first + TILE_ROWS, params.batch * params.phase_height * params.phase_width);
  var sums = acc; // see lib/subgroup-tile.wgsl
  var row_sums = 0u;
  for (var row = first + lane; row < end; row += LANES) {
    let pixel = pixel_after(corner, row - first, params.phase_height, params.phase_width);
    let at = phase_pixel(pixel) * in_groups;
    for (var q = group; q < min(group + COLUMN_GROUPS, in_groups); q++) {
      dx[at + q] = V(sums[row_sums + q - group]);
    }
    row_sums += ROW_SUMS;
  }
}
