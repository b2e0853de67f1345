// Winograd's convolution, the weights' gradient, last step: from the gradient of the transformed kernels to that of the kernels.
//
//   dw[:, :, ci, co] = G^T p G + sums     p[position] = sum over tiles of (B^T d B)[position] (A t A^T)[position]
//
// The transposed form of winograd-weights.wgsl. Matrices: winograd.wgsl. One invocation makes the gradients of one ci and 4
// neighbouring co, or one (E). `sums` are those of the images before, where the images do not fit into one workspace (SUMS).
// Cost: memory alone. It loads (TILE + 2)^2 / 9 values for each that it stores.
//
// requires: lib/grid.wgsl
// requires: conv2d/winograd.wgsl

alias T = vec4<f32>; // storage of dw, as wide as E

override SUMS: bool = false;
override WORKGROUP: u32 = 64u;

struct Params {
  kernels: u32, // cin cout in units of E
  side: u32,    // TILE + 2, for a loop that must not be unrolled
  taps: u32,    // 3, likewise
}

@group(0) @binding(0) var<storage, read> products: array<E>; // [(TILE + 2)^2, cin, cout]
@group(0) @binding(1) var<storage, read> sums: array<E>;     // [3, 3, cin, cout]; without SUMS anything
@group(0) @binding(2) var<storage, read_write> dw: array<T>; // [3, 3, cin, cout]
@group(0) @binding(3) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.kernels) { return; }
  // Rows of products, each transformed as it comes.
  var r0: Taps;
  var r1: Taps;
  var r2: Taps;
  var r3: Taps;
  var r4: Taps;
  var r5: Taps;
  var at = index;
  for (var r = 0u; r < params.side; r++) {
    var row: Line;
    for (var c = 0u; c < TILE + 2u; c++) {
      row[c] = products[at];
      at += params.kernels;
    }
    r0 = r1;
    r1 = r2;
    r2 = r3;
    r3 = r4;
    r4 = r5;
    r5 = weight_gradient_line(row);
  }
  for (var c = 0u; c < params.taps; c++) {
    var column = weight_gradient_line(Line(r0[0], r1[0], r2[0], r3[0], r4[0], r5[0]));
    if (TILE == 2u) { column = weight_gradient_line(Line(r2[0], r3[0], r4[0], r5[0], E(), E())); }
    var to = index + c * params.kernels;
    for (var r = 0u; r < params.taps; r++) {
      var sum = column[0];
      if (SUMS) { sum += sums[to]; }
      dw[to] = T(sum);
      column = next_tap(column);
      to += 3u * params.kernels;
    }
    r0 = next_tap(r0);
    r1 = next_tap(r1);
    r2 = next_tap(r2);
    r3 = next_tap(r3);
    r4 = next_tap(r4);
    r5 = next_tap(r5);
  }
}

// As `next` of winograd.wgsl.
fn next_tap(taps: Taps) -> Taps {
  return Taps(taps[1], taps[2], E());
}
