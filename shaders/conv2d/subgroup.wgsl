enable subgroups;

// Convolution as a matrix product on subgroups of 8, without groups, channels in multiples of 4 on both sides.
// Formula: geometry.wgsl. Rows are pixels of out, columns its channels, k runs over taps and channels of x.
//
// One subgroup, which is a whole workgroup, makes 32 pixels x 32 (or 16) channels, 4 channels of x at a time: each lane
// loads a vec4 of x for each of its 4 pixels, zero outside the image, and 4 (or 2) vec4s of w, which all lanes share by
// shuffles: lib/subgroup-tile.wgsl. The matrix of patches (im2col) is never stored.
// Cost: 2 kh kw cin cout flops a pixel; x is read kh kw cout / 32 times from the cache, w once for every 32 pixels.
//
// requires: lib/grid.wgsl
// requires: lib/subgroup-tile.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage; sums are f32
alias V = vec4<T>;

override BIAS: bool = false;

@group(0) @binding(0) var<storage, read> x: array<V>;         // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> w: array<V>;         // [kh, kw, cin, cout]
@group(0) @binding(2) var<storage, read> bias: array<V>;      // [cout]; without BIAS anything
@group(0) @binding(3) var<storage, read_write> out: array<V>; // [batch, out_height, out_width, cout]
@group(0) @binding(4) var<uniform> params: Params;

// A place in x: vec4 number `at`, if `inside`.
struct Place { at: u32, inside: bool }

fn place_of(p: Pixel, ky: u32, kx: u32) -> Place {
  let y = input_y(p.y, ky);
  let ix = input_x(p.x, kx);
  let is_inside = p.image < params.batch && inside(y, params.height) && inside(ix, params.width);
  let pixel = (p.image * params.height + u32(y)) * params.width + u32(ix);
  return Place(select(0u, pixel * (params.in_channels / 4u), is_inside), is_inside);
}

fn load(place: Place, c: u32) -> vec4f {
  return select(vec4f(), vec4f(x[place.at + c]), place.inside);
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let in_groups = params.in_channels / 4u;
  let out_groups = params.out_channels / 4u;
  let tiles = (out_groups + COLUMN_GROUPS - 1u) / COLUMN_GROUPS;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let first = tile / tiles * TILE_ROWS;
  let group = tile % tiles * COLUMN_GROUPS;
  let corner = pixel_at(first, params.out_height, params.out_width);
  let p0 = pixel_after(corner, lane, params.out_height, params.out_width);
  let p1 = pixel_after(corner, lane + LANES, params.out_height, params.out_width);
  let p2 = pixel_after(corner, lane + 2u * LANES, params.out_height, params.out_width);
  let p3 = pixel_after(corner, lane + 3u * LANES, params.out_height, params.out_width);
  // Where the lane's vectors of w are, without tap and channel; columns past the end are not stored.
  let f = lane + vec4u(0u, LANES, 2u * LANES, 3u * LANES);
  let w_own = f / COLUMN_GROUPS * out_groups + min(group + f % COLUMN_GROUPS, vec4u(out_groups - 1u));
  var w_row = 0u;
  var acc: Tile;
  for (var ky = 0u; ky < params.kernel_height; ky++) {
    for (var kx = 0u; kx < params.kernel_width; kx++) {
      let x0 = place_of(p0, ky, kx);
      let x1 = place_of(p1, ky, kx);
      let x2 = place_of(p2, ky, kx);
      let x3 = place_of(p3, ky, kx);
      for (var c = 0u; c < in_groups; c++) {
        let at = w_own + w_row;
        var columns: Columns;
        columns[0] = vec4f(w[at.x]);
        columns[1] = vec4f(w[at.y]);
        if (COLUMN_GROUPS > 4u) {
          columns[2] = vec4f(w[at.z]);
          columns[3] = vec4f(w[at.w]);
        }
        multiply_by_columns(&acc, Rows(load(x0, c), load(x1, c), load(x2, c), load(x3, c)), columns);
        w_row += params.out_channels; // 4 rows of w
      }
    }
  }
  let end = min(first + TILE_ROWS, params.batch * params.out_height * params.out_width);
  var sums = acc; // see lib/subgroup-tile.wgsl
  var row_sums = 0u;
  for (var pixel = first + lane; pixel < end; pixel += LANES) {
    for (var q = group; q < min(group + COLUMN_GROUPS, out_groups); q++) {
      var sum = sums[row_sums + q - group];
      if (BIAS) { sum += vec4f(bias[q]); }
      out[pixel * out_groups + q] = V(sum);
    }
    row_sums += ROW_SUMS;
  }
}
