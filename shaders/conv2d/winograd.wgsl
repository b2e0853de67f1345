// Winograd's convolution with 3 x 3 kernels and stride 1: what its kernels share. F(m x m, 3 x 3) makes a tile of m x m results
// from a patch of (m + 2) x (m + 2) values by as many multiplications instead of 9 m^2: 16 instead of 36 for m = 2, 36 instead
// of 144 for m = 4.
//
//   result = A^T ( (G g G^T) . (B^T d B) ) A        g: 3 x 3 kernel, d: patch, . element by element
//
// The sum over channels is taken before A, so the multiplications are (m + 2)^2 matrix products, one for each position of a patch:
// rows are tiles, columns channels of the result. This is the one rung of the ladder that does less arithmetic, 2.25 or 4
// times less. It pays with memory: patches and products are written and read, (m + 2)^2 / m^2 times the size of the images.
//
// The input gradient is a convolution of dy with the kernels turned round. The weights' gradient transposes each step:
//
//   dg = G^T ( sum over tiles of (B^T d B) . (A t A^T) ) G        t: the tile of dy
//
// The matrices, applied to columns and then to rows by the functions below:
//
//   m = 2:  B^T =  1  0 -1  0    G = 1    0   0     A^T = 1 1  1  0
//                  0  1  1  0        1/2  1/2 1/2         0 1 -1 -1
//                  0 -1  1  0        1/2 -1/2 1/2
//                  0  1  0 -1        0    0   1
//
//   m = 4:  B^T =  1 -3/2  -2   3/2  1  0    G =   1     0     0      A^T = 1 1  1 1   1 0
//                  0  -1   1/2  5/2  1  0         1/3   1/3   1/3           0 1 -1 1/2 -2 0
//                  0   1  -5/2  1/2  1  0        -1/3   1/3  -1/3           0 1  1 1/4  4 0
//                  0  -2   -1    2   1  0       -16/15 -8/15 -4/15          0 1 -1 1/8 -8 1
//                  0  1/2  -1  -1/2  1  0         1/15 -2/15  4/15
//                  0   1  -3/2  -2  3/2 1          0     0     1
//
// Source: Lavin and Gray, Fast algorithms for convolutional neural networks (2015), for the method and m = 2. For m = 4 they
// interpolate at 0, 1, -1, 2, -2 and infinity; here 1/2 takes the place of 2, as Barabasz et al. found, Error analysis and
// improving the accuracy of Winograd convolution for deep neural networks (2018). It cuts the rounding error by two fifths.
//
// Error of f32 against float64, rms of the error to rms of the result, for ResNet-34's 64 to 512 channels, forward and both
// gradients: m = 2: 2e-7 to 7e-7; m = 4: 7e-7 to 2.7e-6; direct: 2e-7 to 1.1e-6. The largest error of m = 4 is 5e-6 of the
// largest result.
// An infinity or a NaN in x can turn every result of its tiles into NaN.

alias E = vec4<f32>; // what an invocation computes with: 4 channels, or f32: 1 channel

// Results along the side of a tile: 2 or 4.
override TILE: u32 = 4u;

alias Line = array<E, 6>;    // a row or column of a patch; the first TILE + 2 are used
alias Results = array<E, 4>; // of a tile; the first TILE are used
alias Taps = array<E, 3>;    // of a kernel

// B^T d
fn input_line(d: Line) -> Line {
  if (TILE == 2u) {
    return Line(d[0] - d[2], d[1] + d[2], d[2] - d[1], d[1] - d[3], E(), E());
  }
  let odd = d[3] - d[1];
  let even = d[4] - d[2];
  return Line(
    (d[0] - d[2]) + 1.5 * odd + even,
    (d[4] - d[1]) + 0.5 * d[2] + 2.5 * d[3],
    (d[4] + d[1]) - 2.5 * d[2] + 0.5 * d[3],
    even + 2.0 * odd,
    even - 0.5 * odd,
    (d[5] - d[3]) + 1.5 * even - odd,
  );
}

// G g
fn weight_line(g: Taps) -> Line {
  let ends = g[0] + g[2];
  if (TILE == 2u) {
    return Line(g[0], 0.5 * (ends + g[1]), 0.5 * (ends - g[1]), g[2], E(), E());
  }
  return Line(
    g[0],
    (ends + g[1]) / 3.0,
    (g[1] - ends) / 3.0,
    (4.0 * g[0] + 2.0 * g[1] + g[2]) * (-4.0 / 15.0),
    (g[0] - 2.0 * g[1] + 4.0 * g[2]) / 15.0,
    g[2],
  );
}

// A^T p
fn output_line(p: Line) -> Results {
  let sum = p[1] + p[2];
  let difference = p[1] - p[2];
  if (TILE == 2u) {
    return Results(p[0] + sum, difference - p[3], E(), E());
  }
  return Results(
    p[0] + sum + (p[3] + p[4]),
    difference + (0.5 * p[3] - 2.0 * p[4]),
    sum + (0.25 * p[3] + 4.0 * p[4]),
    difference + (0.125 * p[3] - 8.0 * p[4]) + p[5],
  );
}

// A t, the transposed form of output_line
fn output_gradient_line(t: Results) -> Line {
  if (TILE == 2u) {
    return Line(t[0], t[0] + t[1], t[0] - t[1], -t[1], E(), E());
  }
  let even = t[0] + t[2];
  let odd = t[1] + t[3];
  return Line(
    t[0],
    even + odd,
    even - odd,
    t[0] + 0.5 * t[1] + 0.25 * t[2] + 0.125 * t[3],
    t[0] - 2.0 * t[1] + 4.0 * t[2] - 8.0 * t[3],
    t[3],
  );
}

// G^T u, the transposed form of weight_line
fn weight_gradient_line(u: Line) -> Taps {
  let sum = u[1] + u[2];
  let difference = u[1] - u[2];
  if (TILE == 2u) {
    let half = 0.5 * sum;
    return Taps(u[0] + half, 0.5 * difference, half + u[3]);
  }
  let third = difference / 3.0;
  return Taps(
    u[0] + third + (u[4] - 16.0 * u[3]) / 15.0,
    sum / 3.0 - (8.0 * u[3] + 2.0 * u[4]) / 15.0,
    u[5] + third + (4.0 * u[4] - 4.0 * u[3]) / 15.0,
  );
}

// Where vector `column` (E) of row `row` of a matrix is: of 32 rows, 4 of these, and 8 vectors, and within these. The matrices of one position
// of the patch are stored row after row, or packed for matmul/packed.wgsl; see engine/ops/matmul/packed.ts.
fn place(packing: vec4u, quad: u32, row: u32, column: u32) -> u32 {
  let at = row / 32u * packing.x + row % 32u / 4u * quad + row % 4u * packing.y;
  return at + column / 8u * packing.z + column % 8u * packing.w;
}

// Moves the next value to the front. A loop that always takes the front needs no index into registers and no unrolling: llvmpipe
// compiles each vec4 that is loaded or stored in 20 to 30 ms, so there is one of each in the code. Loops of constant length would be
// unrolled, so their lengths are in Params.
fn next(line: Line) -> Line {
  return Line(line[1], line[2], line[3], line[4], line[5], E());
}
