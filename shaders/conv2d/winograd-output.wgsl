// Winograd's convolution, last step: the products back to pixels.
//
//   out[tile] = A^T p A + bias     p: the tile's products at all positions of the patch
//
// Matrices: winograd.wgsl. Who computes what: winograd-tiles.wgsl; what lies beyond the image is not stored.
// Cost: memory alone. It loads ((TILE + 2) / TILE)^2 values for each that it stores.
//
// requires: lib/grid.wgsl
// requires: conv2d/winograd.wgsl
// requires: conv2d/winograd-tiles.wgsl

alias T = vec4<f32>; // storage of bias and out, as wide as E

override BIAS: bool = false;
override WORKGROUP: u32 = 64u;

@group(0) @binding(0) var<storage, read> products: array<E>;  // [(TILE + 2)^2, rows tiles_x, channels]
@group(0) @binding(1) var<storage, read> bias: array<T>;      // [channels]; without BIAS anything
@group(0) @binding(2) var<storage, read_write> out: array<T>; // [images, height, width, channels]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let strip = strip_at(linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index);
  if (strip.image >= params.images) { return; }
  var shift: E;
  if (BIAS) { shift = E(bias[strip.channel]); }
  for (var tile = strip.first; tile < strip.first + strip.count; tile++) {
    // Rows of products, each transformed as it comes.
    var r0: Results;
    var r1: Results;
    var r2: Results;
    var r3: Results;
    var r4: Results;
    var r5: Results;
    var at = place_of(strip, tile);
    for (var r = 0u; r < params.side; r++) {
      var row: Line;
      for (var c = 0u; c < TILE + 2u; c++) {
        row[c] = products[at];
        at += params.position;
      }
      r0 = r1;
      r1 = r2;
      r2 = r3;
      r3 = r4;
      r4 = r5;
      r5 = output_line(row);
    }
    let left = tile * TILE;
    for (var c = 0u; c < min(params.side - 2u, params.width - left); c++) {
      var column = output_line(Line(r0[0], r1[0], r2[0], r3[0], r4[0], r5[0]));
      if (TILE == 2u) { column = output_line(Line(r2[0], r3[0], r4[0], r5[0], E(), E())); }
      var to = ((strip.image * params.height + strip.top) * params.width + left + c) * params.channels + strip.channel;
      for (var r = 0u; r < min(TILE, params.height - strip.top); r++) {
        out[to] = T(column[0] + shift);
        to += params.width * params.channels;
        column = next_result(column);
      }
      r0 = next_result(r0);
      r1 = next_result(r1);
      r2 = next_result(r2);
      r3 = next_result(r3);
      r4 = next_result(r4);
      r5 = next_result(r5);
    }
  }
}

// As `next` of winograd.wgsl.
fn next_result(line: Results) -> Results {
  return Results(line[1], line[2], line[3], E());
}
