// The mean of each window of an image.
//
//   forward   out[n, o, p, c] = 1 / divisor(o, p) * sum over the taps (r, s) inside the image of
//               x[n, o * stride_h - padding_h + r, p * stride_w - padding_w + s, c]
//   gradient  dx[n, i, j, c] = sum of dy[n, o, p, c] / divisor(o, p) over the windows that contain (i, j)
//
// The divisor is a fixed number, or counts the elements of the window: those inside the image, or also those in the
// padding, but never those beyond it that ceil mode adds. Source: PyTorch's documentation of AvgPool2d.
//
// One invocation makes one pixel of the result for 4 channels (or 1, where the number of channels is no multiple of 4:
// then both aliases become scalars). The gradient gathers, so no two invocations write to one place. Cost: x is read
// kernel / stride times in each direction, mostly from the cache; one flop an element.
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
  divisor: f32, // 0: count
}

@group(0) @binding(0) var<storage, read> x: array<S>;
@group(0) @binding(1) var<storage, read_write> out: array<S>;
@group(0) @binding(2) var<storage, read> dy: array<S>;
@group(0) @binding(3) var<storage, read_write> dx: array<S>;
@group(0) @binding(4) var<uniform> params: Params;

// One pixel of a tensor of width * height pixels an image, `columns` vectors each.
struct Pixel {
  channel: u32,
  column: u32,
  row: u32,
  image: u32,
}

fn pixel_of(index: u32, width: u32, height: u32) -> Pixel {
  let pixel = index / params.columns;
  let line = pixel / width;
  let image = line / height;
  return Pixel(index - pixel * params.columns, pixel - line * width, line - image * height, image);
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

@compute @workgroup_size(WORKGROUP)
fn forward(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.count) { return; }
  let place = pixel_of(index, params.out_width, params.out_height);
  let top = top_of(place.row);
  let left = left_of(place.column);
  var total = V(0.0);
  for (var r = 0u; r < KERNEL_H; r++) {
    let i = u32(top + i32(r)); // before the image: wraps around to a number beyond its height
    for (var s = 0u; s < KERNEL_W; s++) {
      let j = u32(left + i32(s));
      let inside = i < params.height && j < params.width;
      let pixel = select(0u, (place.image * params.height + i) * params.width + j, inside);
      total += select(V(0.0), V(x[pixel * params.columns + place.channel]), inside);
    }
  }
  out[index] = S(total / divisor_of(place.row, place.column));
}

@compute @workgroup_size(WORKGROUP)
fn gradient(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let index = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (index >= params.count) { return; }
  let place = pixel_of(index, params.width, params.height);
  var total = V(0.0);
  for (var a = 0u; a < WINDOWS_H; a++) {
    let row = window_over(place.row + PADDING_H, a, KERNEL_H, STRIDE_H, 1u, params.out_height);
    let line = (place.image * params.out_height + row.index) * params.out_width;
    for (var b = 0u; b < WINDOWS_W; b++) {
      let column = window_over(place.column + PADDING_W, b, KERNEL_W, STRIDE_W, 1u, params.out_width);
      let exists = row.exists && column.exists;
      let slope = V(dy[select(0u, (line + column.index) * params.columns, exists) + place.channel]);
      total += select(V(0.0), slope / divisor_of(row.index, column.index), exists);
    }
  }
  dx[index] = S(total);
}
