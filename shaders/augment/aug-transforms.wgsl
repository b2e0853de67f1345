// Geometry and lighting of a batch of images in one pass: each pixel of out is looked up where the homography of its image says, and
// then lightened.
//
//   (X, Y, W) = M (u, v, 1)             from the pixel (u, v) of out to a place in x, in pixels; M holds flip, rotation, zoom, crop, warp
//   q = sample of x at (X / W, Y / W)   bilinear or nearest, the place brought back into the image first; the mean of samples_x samples_y
//                                       of them, spread evenly over the pixel of out
//   out = q                             where slope = 1, offset = 0, saturation = 1, else
//   l   = slope log2(q / (1 - q)) + offset
//   out = 1 / (1 + 2^-(g + saturation (l - g)))   with g the grey of the three channels of l
//
// Without saturation that is sigmoid(contrast (logit(q) + brightness)) with slope = contrast and offset = contrast brightness log2(e).
// Saturation changes pixels of three channels only: CHUNK = 3.
//
// Places outside of x: 0 takes 0 from there, 1 the nearest pixel, 2 reflects. As grid_sample of PyTorch: with aligned corners the mirrors
// are the centres of the outermost pixels, else their outer edges.
// M of the identity and of flips has whole numbers, f32 keeps them, and a weight is 1: then pixels are moved, bit for bit.
// Source: fastai, vision/augment.py, AffineCoordTfm and LightingTfm.
//
// One invocation makes one pixel of out, CHUNK channels at a time. Cost for each: 4 loads of CHUNK numbers a sample, one store, some
// 60 flops, and for each channel a logarithm and an exponential where the lighting changes.
//
// requires: lib/grid.wgsl

const WORKGROUP = 64u;

const ZEROS = 0u;
const REFLECTION = 2u;

// The places behind the horizon of a perspective, where W <= 0, are far away; W is 1 in the middle of out.
const LEAST_DEPTH = 0.001;

// The logit's arguments; fastai's bounds.
const DARKEST = 1e-7;

// The grey of red, green and blue: luma of ITU-R BT.601.
const LUMA = vec3f(0.2989, 0.587, 0.114);

// How many neighbouring channels are taken at once: 1 to 4, a divisor of channels.
override CHUNK: u32 = 1u;

struct Params {
  pixels: u32, // of out, in all images
  height: u32,
  width: u32,
  out_height: u32,
  out_width: u32,
  channels: u32,
  samples_y: u32,
  samples_x: u32,
  padding: u32,
  align_corners: u32,
  nearest: u32,
}

@group(0) @binding(0) var<storage, read> x: array<f32>;     // [n, height, width, channels]
@group(0) @binding(1) var<storage, read> views: array<vec4f>; // for each image (M0, slope), (M1, offset), (M2, saturation): M by rows
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> params: Params;

// Along one axis: two neighbours and what each counts.
struct Taps {
  low: u32,
  high: u32,
  low_weight: f32,
  high_weight: f32,
}

// A triangle wave: 0 to span and back again.
fn reflect_within(place: f32, span: f32) -> f32 {
  if (span <= 0.0) { return 0.0; }
  let distance = abs(place);
  let times = floor(distance / span);
  let rest = distance - times * span;
  return select(span - rest, rest, times % 2.0 == 0.0);
}

fn brought_back(place: f32, last: f32) -> f32 {
  if (params.padding == ZEROS) { return clamp(place, -2.0, last + 2.0); }
  var back = place;
  if (params.padding == REFLECTION) {
    let edge = select(0.5, 0.0, params.align_corners == 1u);
    back = reflect_within(place + edge, last + 2.0 * edge) - edge;
  }
  return clamp(back, 0.0, last);
}

fn taps_at(place: f32, size: u32) -> Taps {
  let last = f32(size - 1u);
  var at = brought_back(place, last);
  if (params.nearest == 1u) { at = round(at); }
  let low = floor(at);
  let fraction = at - low;
  let high = low + 1.0;
  return Taps(
    u32(clamp(low, 0.0, last)),
    u32(clamp(high, 0.0, last)),
    select(0.0, 1.0 - fraction, low >= 0.0 && low <= last),
    select(0.0, fraction, high >= 0.0 && high <= last),
  );
}

fn load(at: u32) -> vec4f {
  var channels = vec4f(x[at], 0.0, 0.0, 0.0);
  if (CHUNK > 1u) { channels.y = x[at + 1u]; }
  if (CHUNK > 2u) { channels.z = x[at + 2u]; }
  if (CHUNK > 3u) { channels.w = x[at + 3u]; }
  return channels;
}

fn store(at: u32, channels: vec4f) {
  out[at] = channels.x;
  if (CHUNK > 1u) { out[at + 1u] = channels.y; }
  if (CHUNK > 2u) { out[at + 2u] = channels.z; }
  if (CHUNK > 3u) { out[at + 3u] = channels.w; }
}

fn sample(image: u32, channel: u32, u: f32, v: f32) -> vec4f {
  let m0 = views[3u * image];
  let m1 = views[3u * image + 1u];
  let m2 = views[3u * image + 2u];
  var place = vec2f(m0.x * u + m0.y * v + m0.z, m1.x * u + m1.y * v + m1.z);
  // Not divided by 1, because a division may be off by 2.5 units of the last place.
  if (m2.x != 0.0 || m2.y != 0.0) { place /= max(m2.x * u + m2.y * v + m2.z, LEAST_DEPTH); }
  let column = taps_at(place.x, params.width);
  let row = taps_at(place.y, params.height);
  let upper = (image * params.height + row.low) * params.width;
  let lower = (image * params.height + row.high) * params.width;
  let c = params.channels;
  return (row.low_weight * column.low_weight) * load((upper + column.low) * c + channel)
    + (row.low_weight * column.high_weight) * load((upper + column.high) * c + channel)
    + (row.high_weight * column.low_weight) * load((lower + column.low) * c + channel)
    + (row.high_weight * column.high_weight) * load((lower + column.high) * c + channel);
}

// The mean over a pixel of out.
fn sample_pixel(image: u32, channel: u32, row: u32, column: u32) -> vec4f {
  if (params.samples_y * params.samples_x == 1u) { return sample(image, channel, f32(column), f32(row)); }
  let step = vec2f(1.0) / vec2f(f32(params.samples_x), f32(params.samples_y));
  var sum = vec4f(0.0);
  for (var j = 0u; j < params.samples_y; j++) {
    let v = f32(row) + (f32(j) + 0.5) * step.y - 0.5;
    for (var i = 0u; i < params.samples_x; i++) {
      sum += sample(image, channel, f32(column) + (f32(i) + 0.5) * step.x - 0.5, v);
    }
  }
  return sum * (step.x * step.y);
}

fn lighten(value: vec4f, image: u32) -> vec4f {
  let slope = views[3u * image].w;
  let offset = views[3u * image + 1u].w;
  let saturation = views[3u * image + 2u].w;
  if (slope == 1.0 && offset == 0.0 && saturation == 1.0) { return value; }
  let q = clamp(value, vec4f(DARKEST), vec4f(1.0 - DARKEST));
  var logits = offset - slope * log2((1.0 - q) / q);
  if (CHUNK == 3u) {
    let grey = vec4f(dot(logits.xyz, LUMA));
    logits = select(grey + saturation * (logits - grey), logits, saturation == 1.0);
  }
  return 1.0 / (1.0 + exp2(-logits));
}

@compute @workgroup_size(WORKGROUP)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let pixel = linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index;
  if (pixel >= params.pixels) { return; }
  let line = pixel / params.out_width;
  let column = pixel % params.out_width;
  let image = line / params.out_height;
  let row = line % params.out_height;
  for (var channel = 0u; channel < params.channels; channel += CHUNK) {
    let value = sample_pixel(image, channel, row, column);
    store(pixel * params.channels + channel, lighten(value, image));
  }
}
