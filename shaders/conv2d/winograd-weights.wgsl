// Winograd's convolution: the kernels, transformed.
//
//   out[position, ci, co] = (G g G^T)[position]     g: the 3 x 3 kernel w[:, :, ci, co]
//
// For the input gradient, which is a convolution with the kernels turned round, g is w[2 - ky, 2 - kx, ci, co] (flip). Matrices:
// winograd.wgsl. One invocation transforms the kernels of one ci and 4 neighbouring co, or one (E).
// Cost: memory alone. It loads each weight once and stores (TILE + 2)^2 / 9 values for it.
//
// requires: lib/grid.wgsl
// requires: conv2d/winograd.wgsl

alias T = vec4<f32>; // storage of w, as wide as E

override WORKGROUP: u32 = 64u;

struct Params {
  kernels: u32, // cin cout in units of E
  columns: u32, // cout in units of E
  flip: u32,    // 1: turn the kernels round
  side: u32,    // TILE + 2, for a loop that must not be unrolled
  taps: u32,    // 3, likewise
  position: u32, // from the matrix of one position to the next
  packing: vec4<u32>, // of these matrices: rows are ci, columns co; see `place`
  quad: u32,
}

@group(0) @binding(0) var<storage, read> w: array<T>;         // [3, 3, cin, cout]
@group(0) @binding(1) var<storage, read_write> out: array<E>; // [(TILE + 2)^2, cin, cout], packed
@group(0) @binding(2) var<uniform> params: Params;

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.kernels) { return; }
  // Columns of the kernel, each transformed as it comes.
  var c0: Line;
  var c1: Line;
  var c2: Line;
  let step = select(params.kernels, 0u - params.kernels, params.flip != 0u);
  var tap = index + select(0u, 8u * params.kernels, params.flip != 0u);
  for (var k = 0u; k < params.taps; k++) {
    c0 = c1;
    c1 = c2;
    c2 = weight_line(Taps(E(w[tap]), E(w[tap + 3u * step]), E(w[tap + 6u * step])));
    tap += step;
  }
  let row = index / params.columns;
  var at = place(params.packing, params.quad, row, index - row * params.columns);
  for (var r = 0u; r < params.side; r++) {
    var u = weight_line(Taps(c0[0], c1[0], c2[0]));
    for (var c = 0u; c < params.side; c++) {
      out[at] = u[0];
      u = next(u);
      at += params.position;
    }
    c0 = next(c0);
    c1 = next(c1);
    c2 = next(c2);
  }
}
