// Winograd's convolution, the weights' gradient: the tiles of dy, transformed.
//
//   out[position, tile, c] = (A t A^T)[position]     t: the tile of dy, zero outside the image
//
// The transposed form of the last step of the convolution (winograd-output.wgsl). Matrices: winograd.wgsl. Who computes what:
// winograd-tiles.wgsl. Cost: memory alone. It loads each value of dy once and stores ((TILE + 2) / TILE)^2 for it.
//
// requires: lib/grid.wgsl
// requires: conv2d/winograd.wgsl
// requires: conv2d/winograd-tiles.wgsl

alias T = vec4<f32>; // storage of dy, as wide as E

override WORKGROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> dy: array<T>;        // [images, height, width, channels]
@group(0) @binding(1) var<storage, read_write> out: array<E>; // [(TILE + 2)^2, rows tiles_x, channels], packed
@group(0) @binding(2) var<uniform> params: Params;

// A times a column of a tile.
fn column_at(strip: Strip, column: u32) -> Line {
  var t: Results;
  if (strip.image < params.images && column < params.width) {
    let line = params.width * params.channels;
    var at = (strip.image * params.height + strip.top) * line + column * params.channels + strip.channel;
    for (var r = 0u; r < params.side - 2u; r++) {
      t = Results(t[1], t[2], t[3], E());
      if (strip.top + r < params.height) { t[TILE - 1u] = E(dy[at]); }
      at += line;
    }
  }
  return output_gradient_line(t);
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let strip = strip_at(linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index);
  for (var tile = strip.first; tile < strip.first + strip.count; tile++) {
    var c0: Line;
    var c1: Line;
    var c2: Line;
    var c3: Line;
    for (var k = 0u; k < params.side - 2u; k++) {
      c0 = c1;
      c1 = c2;
      c2 = c3;
      c3 = column_at(strip, tile * TILE + k);
    }
    var at = place_of(strip, tile);
    for (var r = 0u; r < params.side; r++) {
      var v = output_gradient_line(Results(c0[0], c1[0], c2[0], c3[0]));
      if (TILE == 2u) { v = output_gradient_line(Results(c2[0], c3[0], E(), E())); }
      for (var c = 0u; c < params.side; c++) {
        out[at] = v[0];
        v = next(v);
        at += params.position;
      }
      c0 = next(c0);
      c1 = next(c1);
      c2 = next(c2);
      c3 = next(c3);
    }
  }
}
