// Windows of pooling along one axis. Tap t of window o lies at input position
//
//   o * stride - padding + t * dilation      (0 <= t < kernel)
//
// and counts only where that is inside the input. The numbers are overrides, not uniforms, so that the compiler can
// unroll the loops over a window: that makes pooling two to four times as fast on a software adapter.

override KERNEL_H: u32 = 2u;
override KERNEL_W: u32 = 2u;
override STRIDE_H: u32 = 2u;
override STRIDE_W: u32 = 2u;
override PADDING_H: u32 = 0u;
override PADDING_W: u32 = 0u;
override DILATION_H: u32 = 1u;
override DILATION_W: u32 = 1u;

// The most windows that can span one position.
override WINDOWS_H: u32 = (KERNEL_H - 1u) * DILATION_H / STRIDE_H + 1u;
override WINDOWS_W: u32 = (KERNEL_W - 1u) * DILATION_W / STRIDE_W + 1u;

// Where tap 0 of a window lies.
fn top_of(row: u32) -> i32 {
  return i32(row * STRIDE_H) - i32(PADDING_H);
}

fn left_of(column: u32) -> i32 {
  return i32(column * STRIDE_W) - i32(PADDING_W);
}

// The first tap at or behind the beginning of the image.
fn first_tap(start: i32, dilation: u32) -> u32 {
  return (u32(max(-start, 0)) + dilation - 1u) / dilation;
}

// The latest window that begins at or before the position `padded` behind the first tap of window 0, and those before
// it: window `back` windows earlier. `tap` is the window's tap at the position; it has none there unless `exists`.
struct Window {
  index: u32,
  tap: u32,
  exists: bool,
}

fn window_over(padded: u32, back: u32, kernel: u32, stride: u32, dilation: u32, count: u32) -> Window {
  let index = padded / stride - back; // wraps around below 0, to a number beyond `count`
  let away = padded - index * stride;
  let tap = away / dilation;
  return Window(index, tap, index < count && tap < kernel && tap * dilation == away);
}
