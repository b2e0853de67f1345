// The maximum of each window of an image, and which element it was.
//
//   forward            out[n, o, p, c] = max over the taps (r, s) inside the image of
//                        x[n, o * stride_h - padding_h + r * dilation_h, p * stride_w - padding_w + s * dilation_w, c]
//   forward_with_taps  the same, and taps[n, o, p / PACK, c] holds r * kernel_w + s of the maximum, PACK in a word
//   flat_indices       indices[n, o, p, c] = row * width + column of the maximum; -1 where a window has no element
//   gradient           dx[n, i, j, c] = sum of dy[n, o, p, c] over the windows whose maximum is x[n, i, j, c]
//
// Of equal elements the first in row-major order is the maximum, and NaN is larger than everything, as in PyTorch.
// Elements outside the image do not take part. The gradient gathers, so no two invocations write to one place.
//
// One invocation of the forward passes makes PACK neighbours of a row of out, for 4 channels (or 1, where the number of
// channels is no multiple of 4: then the four aliases become scalars); one of the gradient makes one pixel of dx for as
// many channels. Cost: x is read kernel / stride times in each direction, mostly from the cache; out is written, and 1
// byte a tap. The gradient reads, for each window over a pixel, a word of taps and dy.
//
// requires: lib/grid.wgsl, lib/pool-window.wgsl

alias S = vec4<f32>; // elements in memory
alias V = vec4<f32>; // what is computed with
alias U = vec4<u32>;
alias I = vec4<i32>;
alias B = vec4<bool>;

const WORKGROUP = 64u;

override PACK: u32 = 4u; // taps in a word: 4 of 8 bits, 2 of 16, 1 of 32

struct Params {
  count: u32,   // invocations
  columns: u32, // vectors of channels in a pixel
  height: u32,
  width: u32,
  out_height: u32,
  out_width: u32,
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

// By bit pattern, as in lib/nan.wgsl, for vectors and scalars.
fn is_nan_v(v: V) -> B {
  return (bitcast<U>(v) & U(0x7fffffffu)) > U(0x7f800000u);
}

// PACK neighbours of a row of out: those from `column` on.
struct Place {
  channel: u32, // vector of channels
  column: u32,
  row: u32,
  image: u32,
}

fn blocks_of_row() -> u32 {
  return (params.out_width + PACK - 1u) / PACK;
}

fn place_of(index: u32) -> Place {
  let block = index / params.columns;
  let row = block / blocks_of_row();
  let image = row / params.out_height;
  return Place(
    index - block * params.columns,
    (block - row * blocks_of_row()) * PACK,
    row - image * params.out_height,
    image,
  );
}

struct Winner {
  value: V,
  tap: U,
}

fn winner_of(place: Place, column: u32) -> Winner {
  let top = top_of(place.row);
  let left = left_of(column);
  let first = first_tap(top, DILATION_H) * KERNEL_W + first_tap(left, DILATION_W);
  var winner = Winner(bitcast<V>(U(params.lowest)), U(first));
  for (var r = 0u; r < KERNEL_H; r++) {
    let i = u32(top + i32(r * DILATION_H)); // before the image: wraps around to a number beyond its height
    for (var s = 0u; s < KERNEL_W; s++) {
      let j = u32(left + i32(s * DILATION_W));
      let inside = i < params.height && j < params.width;
      let pixel = select(0u, (place.image * params.height + i) * params.width + j, inside);
      let value = V(x[pixel * params.columns + place.channel]);
      let wins = (is_nan_v(value) | ((value > winner.value) & !is_nan_v(winner.value))) & B(inside);
      winner.value = select(winner.value, value, wins);
      winner.tap = select(winner.tap, U(r * KERNEL_W + s), wins);
    }
  }
  return winner;
}

fn index_in_out(place: Place, column: u32) -> u32 {
  return ((place.image * params.out_height + place.row) * params.out_width + column) * params.columns + place.channel;
}

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.count) { return; }
  let place = place_of(index);
  let end = min(place.column + PACK, params.out_width);
  for (var column = place.column; column < end; column++) {
    out[index_in_out(place, column)] = S(winner_of(place, column).value);
  }
}

@compute @workgroup_size(WORKGROUP)
fn forward_with_taps(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.count) { return; }
  let place = place_of(index);
  let end = min(place.column + PACK, params.out_width);
  var word = U(0u);
  for (var column = place.column; column < end; column++) {
    let winner = winner_of(place, column);
    out[index_in_out(place, column)] = S(winner.value);
    word |= winner.tap << U(shift_of(column));
  }
  taps_out[index] = word;
}

// Where the tap of a column of out lies in its word.
fn shift_of(column: u32) -> u32 {
  return column % PACK * (32u / PACK);
}

fn unpack(word: U, column: u32) -> U {
  return (word >> U(shift_of(column))) & U(0xffffffffu >> (32u - 32u / PACK));
}

@compute @workgroup_size(WORKGROUP)
fn flat_indices(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.count) { return; }
  let place = place_of(index);
  let word = taps[index];
  let end = min(place.column + PACK, params.out_width);
  for (var column = place.column; column < end; column++) {
    let tap = unpack(word, column);
    let i = I(top_of(place.row)) + I((tap / U(KERNEL_W)) * U(DILATION_H));
    let j = I(left_of(column)) + I((tap % U(KERNEL_W)) * U(DILATION_W));
    let outside = (i < I(0)) | (j < I(0)) | (i >= I(i32(params.height))) | (j >= I(i32(params.width)));
    indices[index_in_out(place, column)] = select(i * I(i32(params.width)) + j, I(-1), outside);
  }
}

@compute @workgroup_size(WORKGROUP)
fn gradient(
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
  var total = V(0.0);
  for (var a = 0u; a < WINDOWS_H; a++) {
    let row = window_over(i, a, KERNEL_H, STRIDE_H, DILATION_H, params.out_height);
    let out_line = image * params.out_height + row.index;
    for (var b = 0u; b < WINDOWS_W; b++) {
      let column = window_over(j, b, KERNEL_W, STRIDE_W, DILATION_W, params.out_width);
      let exists = row.exists && column.exists;
      let block = select(0u, out_line * blocks_of_row() + column.index / PACK, exists);
      let out_pixel = select(0u, out_line * params.out_width + column.index, exists);
      let word = taps[block * params.columns + channel];
      let slope = V(dy[out_pixel * params.columns + channel]);
      let won = (unpack(word, column.index) == U(row.tap * KERNEL_W + column.tap)) & B(exists);
      total += select(V(0.0), slope, won);
    }
  }
  dx[index] = S(total);
}
