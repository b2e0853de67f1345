// The mean of each window of an image.
//
//   forward       out[n, o, p, c] = 1 / divisor(o, p) * sum over the taps (r, s) inside the image of
//                   x[n, o * stride_h - padding_h + r, p * stride_w - padding_w + s, c]
//   gradient      dx[n, i, j, c] = sum of dy[n, o, p, c] / divisor(o, p) over the windows that contain (i, j)
//   gradient_any  the same, for more than 3 windows over a pixel in one direction
//
// The divisor is a fixed number, or counts the elements of the window: those inside the image, or also those in the
// padding, but never those beyond it that ceil mode adds. Source: PyTorch's documentation of AvgPool2d.
//
// One invocation of forward and of gradient makes a strip (lib/pool-window.wgsl) of 4 channels (or 1, where the number of
// channels is no multiple of 4: then both aliases become scalars); one of gradient_any makes one pixel. The gradient
// gathers, so no two invocations write to one place. Cost: x is read once where windows overlap by at most 2 rows, but
// for the columns that blocks have in common; dy once, but for the windows that strips have in common. One flop an element.
//
// requires: lib/grid.wgsl, lib/pool-window.wgsl

alias S = vec4<f32>; // elements in memory
alias V = vec4<f32>; // what is computed with

const WORKGROUP = 64u;

override COUNT_PADDING: bool = true;

struct Params {
  count: u32,   // invocations
  columns: u32, // vectors of channels in a pixel
  height: u32,
  width: u32,
  out_height: u32,
  out_width: u32,
  kernel_h: u32, // the overrides once more: see times()
  kernel_w: u32,
  stride_h: u32,
  stride_w: u32,
  blocks: u32,  // strips side by side
  runs: u32,    // strips one above the other
  rows: u32,    // of a strip
  divisor: f32, // 0: count
}

@group(0) @binding(0) var<storage, read> x: array<S>;
@group(0) @binding(1) var<storage, read_write> out: array<S>;
@group(0) @binding(2) var<storage, read> dy: array<S>;
@group(0) @binding(3) var<storage, read_write> dx: array<S>;
@group(0) @binding(4) var<uniform> params: Params;

fn strip_at(index: u32, height: u32) -> Strip {
  return strip_of(index, params.columns, params.blocks, params.runs, params.rows, height);
}

// How many elements of the window that starts at `start` count, along one axis.
fn counted(start: i32, size: u32, kernel: u32, padding: u32) -> u32 {
  let end = min(start + i32(kernel), i32(size + select(0u, padding, COUNT_PADDING)));
  return u32(end - select(max(start, 0), start, COUNT_PADDING));
}

fn divisor_of(row: u32, column: u32) -> f32 {
  if (params.divisor != 0.0) { return params.divisor; }
  let rows = counted(top_of(row), params.height, KERNEL_H, PADDING_H);
  let columns = counted(left_of(column), params.width, KERNEL_W, PADDING_W);
  return f32(rows * columns);
}

fn pixel_at(line: u32, j: u32, exists: bool, channel: u32) -> V {
  let inside = exists && j < params.width;
  let value = V(x[(line + select(0u, j, inside)) * params.columns + channel]);
  return select(V(0.0), value, inside);
}

// Of some elements of each window of a block.
alias Sums = array<V, WIDEST_BLOCK>;

// Of one row of each window.
fn row_sums(image: u32, row: i32, left: i32, channel: u32) -> Sums {
  let exists = u32(row) < params.height; // before the image: wraps around to a number beyond its height
  let line = (image * params.height + select(0u, u32(row), exists)) * params.width;
  var sums: Sums;
  if (BLOCK == 1u) {
    for (var s = 0u; s < times(KERNEL_W, MOST_LOADS, params.kernel_w); s++) {
      sums[0] += pixel_at(line, u32(left + i32(s)), exists, channel);
    }
    return sums;
  }
  var values: array<V, MOST_LOADS>;
  for (var load = 0u; load < MOST_LOADS; load++) {
    if (load < LOADS) { values[load] = pixel_at(line, u32(left + i32(load)), exists, channel); }
  }
  for (var load = 0u; load < MOST_LOADS; load++) {
    for (var p = 0u; p < WIDEST_BLOCK; p++) {
      if (load < LOADS && load - p * STRIDE_W < KERNEL_W) { sums[p] += values[load]; }
    }
  }
  return sums;
}

fn plus(a: Sums, b: Sums) -> Sums {
  var sums = a;
  for (var p = 0u; p < WIDEST_BLOCK; p++) { sums[p] += b[p]; }
  return sums;
}

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.count) { return; }
  let strip = strip_at(index, params.out_height);
  var carried: array<Sums, MOST_CARRIED>; // the first CARRY rows of the windows; before the first row of a strip, none
  for (var row = strip.first; row < strip.end; row++) {
    var sums = Sums(V(0.0), V(0.0));
    if (CARRY > 0u) { sums = carried[0]; }
    if (CARRY > 1u) { sums = plus(sums, carried[1]); }
    if (STRIDE_H < CARRY) { carried[0] = carried[1]; }
    for (var r = select(CARRY, 0u, row == strip.first); r < times(KERNEL_H, 3u, params.kernel_h); r++) {
      let in_row = row_sums(strip.image, top_of(row) + i32(r), left_of(strip.block * BLOCK), strip.channel);
      sums = plus(sums, in_row);
      for (var k = 0u; k < MOST_CARRIED; k++) {
        if (k < CARRY && k + STRIDE_H == r) { carried[k] = in_row; }
      }
    }
    let line = (strip.image * params.out_height + row) * params.out_width;
    for (var p = 0u; p < WIDEST_BLOCK; p++) {
      let column = strip.block * BLOCK + p;
      if (p < BLOCK && column < params.out_width) {
        out[(line + column) * params.columns + strip.channel] = S(sums[p] / divisor_of(row, column));
      }
    }
  }
}

// Windows left of a block that reach into its pixels.
override HALO: u32 = WINDOWS_W - 1u;

const MOST_SLOPES = WIDEST_BLOCK + MOST_WINDOWS - 1u;

// What each element of a row of windows gets: of HALO windows, then of those of the block. 0 where there is no window.
alias Slopes = array<V, MOST_SLOPES>;

fn slopes_of(strip: Strip, row: u32) -> Slopes {
  var slopes: Slopes;
  for (var w = 0u; w < MOST_SLOPES; w++) {
    if (w < HALO + BLOCK) {
      let column = strip.block * BLOCK + w - HALO; // before the image: wraps around to a number beyond its width
      let exists = row < params.out_height && column < params.out_width;
      let pixel = (strip.image * params.out_height + row) * params.out_width + column;
      let slope = V(dy[select(0u, pixel, exists) * params.columns + strip.channel]);
      slopes[w] = select(V(0.0), slope / divisor_of(row, column), exists);
    }
  }
  return slopes;
}

// What the windows of one row give the pixel (down, right) of window p of the block.
fn share_of(slopes: Slopes, p: u32, down: u32, right: u32) -> V {
  var total = V(0.0);
  for (var b = 0u; b < MOST_WINDOWS; b++) {
    if (p < BLOCK && b < WINDOWS_W) {
      let reaches = down < KERNEL_H && right + b * STRIDE_W < KERNEL_W;
      total += select(V(0.0), slopes[p + HALO - b], reaches);
    }
  }
  return total;
}

@compute @workgroup_size(WORKGROUP)
fn gradient(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.count) { return; }
  let strip = strip_at(index, (params.height + PADDING_H + STRIDE_H - 1u) / STRIDE_H);
  var above: array<Slopes, MOST_WINDOWS>; // of a row of windows, and of those before
  // Before the image the row wraps around to a number beyond out_height.
  for (var row = strip.first + 1u - WINDOWS_H; row != strip.end; row++) {
    above[2] = above[1];
    above[1] = above[0];
    above[0] = slopes_of(strip, row);
    if (row + WINDOWS_H < strip.first + WINDOWS_H) { continue; }
    let part_rows = times(PART_ROWS, 2u, (params.stride_h + PARTS - 1u) / PARTS);
    for (var k = 0u; k < part_rows; k++) {
      let down = strip.part * PART_ROWS + k;
      let i = row * STRIDE_H + down - PADDING_H;
      let line = (strip.image * params.height + i) * params.width;
      for (var right = 0u; right < times(STRIDE_W, 3u, params.stride_w); right++) {
        for (var p = 0u; p < WIDEST_BLOCK; p++) {
          let j = (strip.block * BLOCK + p) * STRIDE_W + right - PADDING_W;
          var total = V(0.0);
          for (var a = 0u; a < MOST_WINDOWS; a++) {
            if (a < WINDOWS_H) { total += share_of(above[a], p, down + a * STRIDE_H, right); }
          }
          if (p < BLOCK && down < STRIDE_H && i < params.height && j < params.width) {
            dx[(line + j) * params.columns + strip.channel] = S(total);
          }
        }
      }
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn gradient_any(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.count) { return; }
  let pixel = index / params.columns;
  let pixel_line = pixel / params.width;
  let image = pixel_line / params.height;
  let channel = index - pixel * params.columns;
  let i = pixel_line - image * params.height + PADDING_H;
  let j = pixel - pixel_line * params.width + PADDING_W;
  let windows_h = (params.kernel_h - 1u) / STRIDE_H + 1u;
  let windows_w = times(WINDOWS_W, MOST_WINDOWS, (params.kernel_w - 1u) / STRIDE_W + 1u);
  var total = V(0.0);
  for (var a = 0u; a < windows_h; a++) {
    let row = window_over(i, a, KERNEL_H, STRIDE_H, 1u, params.out_height);
    let line = (image * params.out_height + row.index) * params.out_width;
    for (var b = 0u; b < windows_w; b++) {
      let column = window_over(j, b, KERNEL_W, STRIDE_W, 1u, params.out_width);
      let exists = row.exists && column.exists;
      let slope = V(dy[select(0u, (line + column.index) * params.columns, exists) + channel]);
      total += select(V(0.0), slope / divisor_of(row.index, column.index), exists);
    }
  }
  dx[index] = S(total);
}
