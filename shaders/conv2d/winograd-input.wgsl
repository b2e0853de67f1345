// Winograd's convolution, first step: the patches of the images, transformed.
//
//   out[position, tile, c] = (B^T d B)[position]     d: the tile's patch of x, zero outside the image
//
// Matrices: winograd.wgsl. Who computes what: winograd-tiles.wgsl. The columns of a strip pass through six (four) lines of
// registers, each transformed as it comes, and whenever they hold a whole patch its rows are transformed and stored. So patches
// that share columns load them once, and the code is short: one column of loads, one row of stores.
// Cost: memory alone. It stores ((TILE + 2) / TILE)^2 values for each of x and loads as many where strips are tiles,
// (TILE + 2) / TILE where they are rows.
//
// requires: lib/grid.wgsl
// requires: conv2d/winograd.wgsl
// requires: conv2d/winograd-tiles.wgsl

alias T = vec4<f32>; // storage of x, as wide as E

override WORKGROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> x: array<T>;         // [images, height, width, channels]
@group(0) @binding(1) var<storage, read_write> out: array<E>; // [(TILE + 2)^2, rows tiles_x, channels], packed
@group(0) @binding(2) var<uniform> params: Params;

// B^T times a column of a patch.
fn column_at(strip: Strip, column: i32) -> Line {
  var d: Line;
  if (strip.image < params.images && column >= 0 && column < i32(params.width)) {
    var y = i32(strip.top) - params.pad_top;
    let line = i32(params.width * params.channels);
    var at = (i32(strip.image * params.height) + y) * line + column * i32(params.channels) + i32(strip.channel);
    for (var r = 0u; r < params.side; r++) {
      d = next(d);
      if (y >= 0 && y < i32(params.height)) { d[TILE + 1u] = E(x[at]); }
      y++;
      at += line;
    }
  }
  return input_line(d);
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let strip = strip_at(linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index);
  var tile = strip.first;
  var column = i32(strip.first * TILE) - params.pad_left;
  var c0: Line;
  var c1: Line;
  var c2: Line;
  var c3: Line;
  var c4: Line;
  var c5: Line;
  let columns = select(0u, strip.count * TILE + 2u, strip.count > 0u);
  var missing = TILE + 2u; // columns until the next tile is complete
  for (var k = 0u; k < columns; k++) {
    c0 = c1;
    c1 = c2;
    c2 = c3;
    c3 = c4;
    c4 = c5;
    c5 = column_at(strip, column);
    column++;
    missing--;
    if (missing == 0u) {
      missing = TILE;
      store_tile(place_of(strip, tile), c0, c1, c2, c3, c4, c5);
      tile++;
    }
  }
}

// Transforms the rows of a patch whose columns are transformed.
fn store_tile(first: u32, c0: Line, c1: Line, c2: Line, c3: Line, c4: Line, c5: Line) {
  var r0 = c0;
  var r1 = c1;
  var r2 = c2;
  var r3 = c3;
  var r4 = c4;
  var r5 = c5;
  var at = first;
  for (var r = 0u; r < params.side; r++) {
    var v = input_line(Line(r0[0], r1[0], r2[0], r3[0], r4[0], r5[0]));
    if (TILE == 2u) { v = input_line(Line(r2[0], r3[0], r4[0], r5[0], E(), E())); }
    for (var c = 0u; c < params.side; c++) {
      out[at] = v[0];
      v = next(v);
      at += params.position;
    }
    r0 = next(r0);
    r1 = next(r1);
    r2 = next(r2);
    r3 = next(r3);
    r4 = next(r4);
    r5 = next(r5);
  }
}
