// What every convolution kernel knows of its problem. `out` is always the result of the forward convolution, whichever of the
// three tensors a kernel computes:
//
//   out[n, oy, ox, co] = bias[co] + sum over ky, kx, ci of
//     x[n, oy stride_y + ky dilation_y - pad_top, ox stride_x + kx dilation_x - pad_left, ci] w[ky, kx, ci, co]
//
// with x zero outside, ci within the group of co. Source: Dumoulin and Visin, A guide to convolution arithmetic for deep
// learning (2016).

struct Params {
  batch: u32,
  height: u32, // of x
  width: u32,
  in_channels: u32,
  out_height: u32,
  out_width: u32,
  out_channels: u32,
  kernel_height: u32,
  kernel_width: u32,
  stride_y: u32,
  stride_x: u32,
  pad_top: i32,
  pad_left: i32,
  dilation_y: u32,
  dilation_x: u32,
  groups: u32,
  // The matrix of patches: those of the pixels of out from `first_pixel` on.
  first_pixel: u32,
  pixels: u32,
  parts: u32, // of the sum, added up by another kernel: layers of the grid in z
  part_rows: u32, // weight gradient: a part is so many rows of the images
  // Input gradient: a dispatch makes the pixels of x in the rows phase_y, phase_y + stride_y, ... and columns likewise. Of
  // the taps only tap_y, tap_y + tap_step_y, ... reach them; the first of these from the row `phase row + shift_y` of out, each
  // next one from shift_step_y rows above.
  phase_y: u32,
  phase_x: u32,
  phase_height: u32, // rows of the phase
  phase_width: u32,
  tap_y: u32, // kernel_height where no tap reaches
  tap_x: u32,
  tap_step_y: u32,
  tap_step_x: u32,
  shift_y: i32,
  shift_x: i32,
  shift_step_y: u32,
  shift_step_x: u32,
}

// An image and a place in it.
struct Pixel { image: u32, y: u32, x: u32 }

// Pixel number `index` of a batch of images of this size.
fn pixel_at(index: u32, height: u32, width: u32) -> Pixel {
  let row = index / width;
  let image = row / height;
  return Pixel(image, row - image * height, index - row * width);
}

// The pixel `steps` further on, of less than a million.
fn pixel_after(p: Pixel, steps: u32, height: u32, width: u32) -> Pixel {
  let x = p.x + steps;
  let rows = quotient(x, width);
  let y = p.y + rows;
  let images = quotient(y, height);
  return Pixel(p.image + images, y - images * height, x - rows * width);
}

// a / b for a below a million: a division of real numbers, which vector units have. The half keeps the error of at most 2.5 units in
// the last place away from whole results.
fn quotient(a: u32, b: u32) -> u32 {
  return u32((f32(a) + 0.5) / f32(b));
}

// Where tap (ky, kx) of output place (oy, ox) reads x; may lie outside.
fn input_y(oy: u32, ky: u32) -> i32 {
  return i32(oy * params.stride_y + ky * params.dilation_y) - params.pad_top;
}

fn input_x(ox: u32, kx: u32) -> i32 {
  return i32(ox * params.stride_x + kx * params.dilation_x) - params.pad_left;
}

// Below `size` and not negative: a negative i32 is a huge u32.
fn inside(y: i32, size: u32) -> bool {
  return u32(y) < size;
}

// The number of a phase's pixel in x.
fn phase_pixel(p: Pixel) -> u32 {
  let y = params.phase_y + p.y * params.stride_y;
  let x = params.phase_x + p.x * params.stride_x;
  return (p.image * params.height + y) * params.width + x;
}
