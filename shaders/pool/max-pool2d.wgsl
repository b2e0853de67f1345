// The maximum of each window of an image, and which element it was.
//
//   forward            out[n, o, p, c] = max over the taps (r, s) inside the image of
//                        x[n, o * stride_h - padding_h + r * dilation_h, p * stride_w - padding_w + s * dilation_w, c]
//   forward_with_taps  the same, and taps[n, o / PACK, p, c] holds r * kernel_w + s of the maximum, PACK in a word
//   flat_indices       indices[n, o, p, c] = row * width + column of the maximum; -1 where a window has no element
//   gradient           dx[n, i, j, c] = sum of dy[n, o, p, c] over the windows whose maximum is x[n, i, j, c]
//   gradient_any       the same, for dilated windows and more than 3 over a pixel in one direction
//
// Of equal elements the first in row-major order is the maximum, and NaN is larger than everything, as in PyTorch.
// Elements outside the image do not take part. The gradient gathers, so no two invocations write to one place.
//
// One invocation of the forward passes and of gradient makes a strip (lib/pool-window.wgsl) of 4 channels (or 1, where
// the number of channels is no multiple of 4: then the four aliases become scalars); one of gradient_any makes one pixel.
//
// Cost for windows of 3 x 3 with stride 2, in vectors for 4 outputs side by side: forward loads 2 rows of 9 instead of
// 3 rows of 4 * 3 and stores 4, and 1 of taps; gradient loads 5 of dy and 2 of taps for 16 pixels that it stores, instead
// of 4 of both for each of them. x and dx are what has to be moved: the rest is a quarter of them and the taps a sixteenth.
//
// requires: lib/grid.wgsl, lib/pool-window.wgsl

alias S = vec4<f32>; // elements in memory
alias V = vec4<f32>; // what is computed with
alias U = vec4<u32>;
alias I = vec4<i32>;
alias B = vec4<bool>;

const WORKGROUP = 64u;

override PACK: u32 = 4u; // taps in a word: 4 of 8 bits, 1 of 32

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
  blocks: u32, // strips side by side
  runs: u32,   // strips one above the other
  rows: u32,   // of a strip
  lowest: u32, // bits of -infinity, which WGSL cannot write
}

@group(0) @binding(0) var<storage, read> x: array<S>;
@group(0) @binding(1) var<storage, read_write> out: array<S>;
@group(0) @binding(2) var<storage, read_write> taps_out: array<U>;
@group(0) @binding(3) var<storage, read> taps: array<U>;
@group(0) @binding(4) var<storage, read_write> indices: array<I>;
@group(0) @binding(5) var<storage, read> dy: array<S>;
@group(0) @binding(6) var<storage, read_write> dx: array<S>;
@group(0) @binding(7) var<uniform> params: Params;

fn strip_at(index: u32, height: u32) -> Strip {
  return strip_of(index, params.columns, params.blocks, params.runs, params.rows, height);
}

// By bit pattern, as in lib/nan.wgsl, for vectors and scalars.
fn is_nan_v(v: V) -> B {
  return (bitcast<I>(v) & I(0x7fffffff)) > I(0x7f800000);
}

fn beats(value: V, best: V) -> B {
  return is_nan_v(value) | ((value > best) & !is_nan_v(best));
}

// The maximum of some elements of each window of a block, and its tap.
struct Winners {
  value: array<V, WIDEST_BLOCK>,
  tap: array<U, WIDEST_BLOCK>,
}

// Where nothing is larger than -infinity, the first tap of the row inside the image is the maximum.
fn no_winners(row: u32, left: i32) -> Winners {
  var winners: Winners;
  for (var p = 0u; p < WIDEST_BLOCK; p++) {
    winners.value[p] = bitcast<V>(U(params.lowest));
    winners.tap[p] = U(row * KERNEL_W + first_tap(left + i32(p * STRIDE_W), DILATION_W));
  }
  return winners;
}

fn pixel_at(line: u32, j: u32, exists: bool, channel: u32) -> V {
  let inside = exists && j < params.width;
  let value = V(x[(line + select(0u, j, inside)) * params.columns + channel]);
  return select(bitcast<V>(U(params.lowest)), value, inside);
}

// Of one row of each window; the taps count from the beginning of the row.
fn row_winners(image: u32, row: i32, left: i32, channel: u32) -> Winners {
  let exists = u32(row) < params.height; // before the image: wraps around to a number beyond its height
  let line = (image * params.height + select(0u, u32(row), exists)) * params.width;
  var winners = no_winners(0u, left);
  if (BLOCK == 1u) {
    for (var s = 0u; s < times(KERNEL_W, MOST_LOADS, params.kernel_w); s++) {
      let value = pixel_at(line, u32(left + i32(s * DILATION_W)), exists, channel);
      let wins = beats(value, winners.value[0]);
      winners.value[0] = select(winners.value[0], value, wins);
      winners.tap[0] = select(winners.tap[0], U(s), wins);
    }
    return winners;
  }
  var values: array<V, MOST_LOADS>;
  for (var load = 0u; load < MOST_LOADS; load++) {
    if (load < LOADS) { values[load] = pixel_at(line, u32(left + i32(load * STEP)), exists, channel); }
  }
  for (var load = 0u; load < MOST_LOADS; load++) {
    for (var p = 0u; p < WIDEST_BLOCK; p++) {
      let away = load * STEP - p * STRIDE_W; // wraps around to no tap
      if (load < LOADS && has_tap(away)) {
        let wins = beats(values[load], winners.value[p]);
        winners.value[p] = select(winners.value[p], values[load], wins);
        winners.tap[p] = select(winners.tap[p], U(away / DILATION_W), wins);
      }
    }
  }
  return winners;
}

fn joined(winners: Winners, later: Winners, first_tap: u32) -> Winners {
  var result = winners;
  for (var p = 0u; p < WIDEST_BLOCK; p++) {
    let wins = beats(later.value[p], winners.value[p]);
    result.value[p] = select(winners.value[p], later.value[p], wins);
    result.tap[p] = select(winners.tap[p], later.tap[p] + U(first_tap), wins);
  }
  return result;
}

// The first CARRY rows of the windows of a row of out; before the first row of a strip, none.
alias Carried = array<Winners, MOST_CARRIED>;

fn nothing_carried(strip: Strip) -> Carried {
  let left = left_of(strip.block * BLOCK);
  let first = no_winners(first_tap(top_of(strip.first), DILATION_H), left);
  return Carried(first, first);
}

// The winners of the windows of a row of out. What is carried becomes that of the next row.
fn winners_of(strip: Strip, row: u32, carried: ptr<function, Carried>) -> Winners {
  let top = top_of(row);
  let left = left_of(strip.block * BLOCK);
  var winners = no_winners(first_tap(top, DILATION_H), left);
  if (CARRY > 0u) { winners = (*carried)[0]; }
  if (CARRY > 1u) { winners = joined(winners, (*carried)[1], KERNEL_W); }
  if (STRIDE_H < CARRY) { (*carried)[0] = (*carried)[1]; }
  for (var r = select(CARRY, 0u, row == strip.first); r < times(KERNEL_H, 3u, params.kernel_h); r++) {
    let in_row = row_winners(strip.image, top + i32(r * DILATION_H), left, strip.channel);
    winners = joined(winners, in_row, r * KERNEL_W);
    for (var k = 0u; k < MOST_CARRIED; k++) {
      if (k < CARRY && k + STRIDE_H == r) { (*carried)[k] = in_row; }
    }
  }
  return winners;
}

fn store_values(strip: Strip, row: u32, winners: Winners) {
  let line = (strip.image * params.out_height + row) * params.out_width;
  for (var p = 0u; p < WIDEST_BLOCK; p++) {
    let column = strip.block * BLOCK + p;
    if (p < BLOCK && column < params.out_width) {
      out[(line + column) * params.columns + strip.channel] = S(winners.value[p]);
    }
  }
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
  var carried = nothing_carried(strip);
  for (var row = strip.first; row < strip.end; row++) {
    store_values(strip, row, winners_of(strip, row, &carried));
  }
}

// Taps of PACK rows of out, one above the other, share a word.
fn word_at(image: u32, row: u32, column: u32, channel: u32) -> u32 {
  let words = (params.out_height + PACK - 1u) / PACK;
  return ((image * words + row / PACK) * params.out_width + column) * params.columns + channel;
}

fn shift_of(row: u32) -> u32 {
  return row % PACK * 8u;
}

fn unpacked(word: U, row: u32) -> U {
  return (word >> U(shift_of(row))) & U(select(0xffu, 0xffffffffu, PACK == 1u));
}

@compute @workgroup_size(WORKGROUP)
fn forward_with_taps(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.count) { return; }
  let strip = strip_at(index, params.out_height);
  var carried = nothing_carried(strip);
  var words: array<U, WIDEST_BLOCK>;
  for (var row = strip.first; row < strip.end; row++) {
    let winners = winners_of(strip, row, &carried);
    store_values(strip, row, winners);
    for (var p = 0u; p < WIDEST_BLOCK; p++) {
      let column = strip.block * BLOCK + p;
      words[p] |= winners.tap[p] << U(shift_of(row));
      if (p < BLOCK && column < params.out_width && (row % PACK == PACK - 1u || row + 1u == strip.end)) {
        taps_out[word_at(strip.image, row, column, strip.channel)] = words[p];
        words[p] = U(0u);
      }
    }
  }
}

@compute @workgroup_size(WORKGROUP)
fn flat_indices(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.count) { return; }
  let strip = strip_at(index, params.out_height);
  for (var row = strip.first; row < strip.end; row++) {
    let line = (strip.image * params.out_height + row) * params.out_width;
    for (var p = 0u; p < BLOCK; p++) {
      let column = strip.block * BLOCK + p;
      if (column >= params.out_width) { break; }
      let tap = unpacked(taps[word_at(strip.image, row, column, strip.channel)], row);
      let i = I(top_of(row)) + I((tap / U(KERNEL_W)) * U(DILATION_H));
      let j = I(left_of(column)) + I((tap % U(KERNEL_W)) * U(DILATION_W));
      let outside = (i < I(0)) | (j < I(0)) | (i >= I(i32(params.height))) | (j >= I(i32(params.width)));
      let flat = select(i * I(i32(params.width)) + j, I(-1), outside);
      indices[(line + column) * params.columns + strip.channel] = flat;
    }
  }
}

// Windows left of a block that reach into its pixels.
override HALO: u32 = WINDOWS_W - 1u;

const MOST_SLOPES = WIDEST_BLOCK + MOST_WINDOWS - 1u;

// dy and taps of a row of windows: HALO of them, then those of the block. dy is 0 where there is no window.
struct Slopes {
  dy: array<V, MOST_SLOPES>,
  tap: array<U, MOST_SLOPES>,
}

alias Words = array<U, MOST_SLOPES>;

fn slopes_of(strip: Strip, row: u32, words: ptr<function, Words>) -> Slopes {
  var slopes: Slopes;
  for (var w = 0u; w < MOST_SLOPES; w++) {
    if (w < HALO + BLOCK) {
      let column = strip.block * BLOCK + w - HALO; // before the image: wraps around to a number beyond its width
      let exists = row < params.out_height && column < params.out_width;
      let pixel = (strip.image * params.out_height + row) * params.out_width + column;
      let slope = V(dy[select(0u, pixel, exists) * params.columns + strip.channel]);
      if (exists && (row % PACK == 0u || row == strip.first || row + WINDOWS_H == strip.first + 1u)) {
        (*words)[w] = taps[word_at(strip.image, row, column, strip.channel)];
      }
      slopes.dy[w] = select(V(0.0), slope, exists);
      slopes.tap[w] = unpacked((*words)[w], row);
    }
  }
  return slopes;
}

const NO_TAP = 0xffffffffu;

// What the windows of one row give the pixel (down, right) of window p of the block: down is the row's tap.
fn share_of(slopes: Slopes, p: u32, down: u32, right: u32) -> V {
  var total = V(0.0);
  for (var b = 0u; b < MOST_WINDOWS; b++) {
    if (p < BLOCK && b < WINDOWS_W) {
      let across = right + b * STRIDE_W;
      let tap = select(NO_TAP, down * KERNEL_W + across, down < KERNEL_H && across < KERNEL_W);
      total += select(V(0.0), slopes.dy[p + HALO - b], slopes.tap[p + HALO - b] == U(tap));
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
  var words: Words;
  // Before the image the row wraps around to a number beyond out_height.
  for (var row = strip.first + 1u - WINDOWS_H; row != strip.end; row++) {
    above[2] = above[1];
    above[1] = above[0];
    above[0] = slopes_of(strip, row, &words);
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
  let line = pixel / params.width;
  let image = line / params.height;
  let channel = index - pixel * params.columns;
  let i = line - image * params.height + PADDING_H;
  let j = pixel - line * params.width + PADDING_W;
  let windows_h = (params.kernel_h - 1u) * DILATION_H / STRIDE_H + 1u;
  let windows_w = times(WINDOWS_W, MOST_WINDOWS, (params.kernel_w - 1u) * DILATION_W / STRIDE_W + 1u);
  var total = V(0.0);
  for (var a = 0u; a < windows_h; a++) {
    let row = window_over(i, a, KERNEL_H, STRIDE_H, DILATION_H, params.out_height);
    for (var b = 0u; b < windows_w; b++) {
      let column = window_over(j, b, KERNEL_W, STRIDE_W, DILATION_W, params.out_width);
      let exists = row.exists && column.exists;
      let out_pixel = select(0u, (image * params.out_height + row.index) * params.out_width + column.index, exists);
      let word = taps[select(0u, word_at(image, row.index, column.index, channel), exists)];
      let slope = V(dy[out_pixel * params.columns + channel]);
      let won = (unpacked(word, row.index) == U(row.tap * KERNEL_W + column.tap)) & B(exists);
      total += select(V(0.0), slope, won);
    }
  }
  dx[index] = S(total);
}
