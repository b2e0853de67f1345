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

// How windows are shared out to invocations: engine/ops/pool-strips.ts. A strip is the work of one invocation, for one
// vector of channels: `rows` rows of BLOCK neighbouring windows, or of the STRIDE_H * STRIDE_W pixels that begin where
// each of these does. What one window has loaded the next one, beside or below it, does not load again.
const WIDEST_BLOCK = 2u;
const MOST_LOADS = 8u;
const MOST_CARRIED = 2u;
const MOST_WINDOWS = 3u;

override BLOCK: u32 = 1u;
override LOADS: u32 = 2u; // of a row of a block: every STEP-th pixel
override STEP: u32 = 1u;
override CARRY: u32 = 0u; // rows that a window has in common with the next one below, as far as they are carried
override PARTS: u32 = 1u; // strips that share a window's pixels
override PART_ROWS: u32 = (STRIDE_H + PARTS - 1u) / PARTS;

// How often to go round a loop: `count`, given a second time by a uniform. A compiler unrolls what it knows to be short; where
// that would be too much code it must not know.
fn times(count: u32, most_unrolled: u32, same_count: u32) -> u32 {
  return select(same_count, count, count <= most_unrolled);
}

struct Strip {
  channel: u32, // vector of channels
  block: u32,
  first: u32, // row of windows
  end: u32,   // row of windows
  part: u32,  // of the pixels of these, if they are many
  image: u32,
}

// The strip of an invocation, in images of `blocks` times PARTS times `runs` strips that cover `height` rows of windows.
fn strip_of(index: u32, columns: u32, blocks: u32, runs: u32, rows: u32, height: u32) -> Strip {
  let place = index / columns;
  let part_line = place / blocks;
  let line = part_line / PARTS;
  let image = line / runs;
  let first = (line - image * runs) * rows;
  let end = min(first + rows, height);
  return Strip(index - place * columns, place - part_line * blocks, first, end, part_line - line * PARTS, image);
}

// Where tap 0 of a window lies.
fn top_of(row: u32) -> i32 {
  return i32(row * STRIDE_H) - i32(PADDING_H);
}

fn left_of(column: u32) -> i32 {
  return i32(column * STRIDE_W) - i32(PADDING_W);
}

// Does a window of a block have a tap at pixel `away` right of its first one?
fn has_tap(away: u32) -> bool {
  let tap = away / DILATION_W;
  return tap < KERNEL_W && tap * DILATION_W == away;
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
