// 4 neighbouring pixels of one row and 4 channels, which the depthwise kernels work on: a value that is loaded serves every pixel
// and tap that meets it. Columns are counted from the one that the first tap of the first pixel meets; tap t of pixel p
// meets column p STRIDE + t STEP. All of it is known to the compiler, so the sums stay in registers.

const PIXELS = 4u;

override TAPS: u32 = 3u;   // along a row of the kernel, at most 8
override STRIDE: u32 = 1u; // columns from one pixel to the next
override STEP: u32 = 1u;   // columns from one tap to the next

alias PixelValues = array<vec4f, 4>;
alias TapValues = array<vec4f, 8>;

fn columns() -> u32 {
  return (PIXELS - 1u) * STRIDE + (TAPS - 1u) * STEP + 1u;
}

// The tap that pixel p meets a column with; TAPS or more if none.
fn tap_at(column: u32, p: u32) -> u32 {
  let ahead = column - p * STRIDE; // negative ones wrap to large ones
  return select(TAPS, ahead / STEP, ahead % STEP == 0u);
}
