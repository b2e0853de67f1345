// Convolution by tiles in workgroup memory, without groups, channels of out in multiples of 4. Formula: geometry.wgsl. Rows
// are pixels of out, columns its channels, k runs over taps and channels of x, in the order in which w is stored.
//
// A workgroup makes 64 (or 32) pixels x 64 channels of one part of the sum: lib/workgroup-tile.wgsl. For each 16 steps of k every invocation
// loads the same 4 steps for 4 (or 2) pixels, zero outside the image, as one vec4 of x where 4 divides its channels
// (PACKED), else one by one; and 4 vec4s of w. The matrix of patches (im2col) is never stored.
// Cost: 2 kh kw cin cout flops a pixel; x is read kh kw cout / 64 times, w once for every 64 pixels. The variant for GPUs.
//
// requires: lib/grid.wgsl
// requires: lib/workgroup-tile.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage of x, w and bias; sums are f32
alias O = f32; // storage of the result
alias V = vec4<T>;

override BIAS: bool = false;
override PACKED: bool = true;

@group(0) @binding(0) var<storage, read> x: array<V>;              // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> x_scalars: array<T>;      // the same
@group(0) @binding(2) var<storage, read> w: array<V>;              // [kh, kw, cin, cout]
@group(0) @binding(3) var<storage, read> bias: array<V>;           // [cout]; without BIAS anything
@group(0) @binding(4) var<storage, read_write> out: array<vec4<O>>; // [parts, batch, out_height, out_width, cout]
@group(0) @binding(5) var<uniform> params: Params;

// Where the patch of a pixel of out begins in x.
struct Corner { image: u32, y: i32, x: i32 }

fn corner_of(index: u32) -> Corner {
  let p = pixel_at(index, params.out_height, params.out_width);
  return Corner(p.image, input_y(p.y, 0u), input_x(p.x, 0u));
}

// A step of k: a tap and a channel, or 4 channels. Past the last one ky is kernel_height.
struct Step { ky: u32, kx: u32, channel: u32 }

fn step_at(k: u32) -> Step {
  let tap = k / params.in_channels;
  return Step(tap / params.kernel_width, tap % params.kernel_width, k % params.in_channels);
}

// The number in x of a pixel's element for a step.
struct Place { at: u32, inside: bool }

fn place_of(c: Corner, step: Step) -> Place {
  let y = c.y + i32(step.ky * params.dilation_y);
  let ix = c.x + i32(step.kx * params.dilation_x);
  let is_inside =
    c.image < params.batch && step.ky < params.kernel_height && inside(y, params.height) && inside(ix, params.width);
  let pixel = (c.image * params.height + u32(y)) * params.width + u32(ix);
  return Place(select(0u, pixel * params.in_channels + step.channel, is_inside), is_inside);
}

fn load_scalar(c: Corner, step: Step) -> f32 {
  let place = place_of(c, step);
  return select(0.0, f32(x_scalars[place.at]), place.inside);
}

// 4 steps of k for a pixel; of 4 channels the first step stands for all.
fn load_x(c: Corner, steps: array<Step, 4>) -> vec4f {
  if (PACKED) {
    let place = place_of(c, steps[0]);
    return select(vec4f(), vec4f(x[place.at / 4u]), place.inside);
  }
  return vec4f(load_scalar(c, steps[0]), load_scalar(c, steps[1]), load_scalar(c, steps[2]), load_scalar(c, steps[3]));
}

fn load_w(row: u32, group: u32, rows: u32, groups: u32) -> vec4f {
  let is_real = row < rows && group < groups;
  return select(vec4f(), vec4f(w[select(0u, row * groups + group, is_real)]), is_real);
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_id) local_id: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let out_groups = params.out_channels / 4u;
  let rows = params.kernel_height * params.kernel_width * params.in_channels;
  let tiles = (out_groups + COLUMN_GROUPS - 1u) / COLUMN_GROUPS;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let first = tile / tiles * tile_rows();
  let first_group = tile % tiles * COLUMN_GROUPS;
  // What the invocation loads: a quarter of a step for the pixels `loaded`, `loaded` + 16, ...
  let quarter = local_index % STEP_GROUPS;
  let loaded = local_index / STEP_GROUPS;
  var corners: array<Corner, 4>;
  for (var i = 0u; i < OWN_ROWS / 2u; i++) { corners[i] = corner_of(first + loaded + 16u * i); }
  var sums: Sums;
  let part = steps_of_part(rows, workgroup_id.z, params.parts);
  for (var k = STEP * part.first; k < STEP * part.end; k += STEP) {
    let own_k = k + 4u * quarter;
    let steps = array(step_at(own_k), step_at(own_k + 1u), step_at(own_k + 2u), step_at(own_k + 3u));
    for (var i = 0u; i < OWN_ROWS / 2u; i++) { set_a(loaded + 16u * i, quarter, load_x(corners[i], steps)); }
    for (var f = local_index; f < STEP * COLUMN_GROUPS; f += INVOCATIONS) {
      let group = f % COLUMN_GROUPS;
      set_b(f / COLUMN_GROUPS, group, load_w(k + f / COLUMN_GROUPS, first_group + group, rows, out_groups));
    }
    workgroupBarrier();
    multiply_tiles(&sums, local_id);
    workgroupBarrier();
  }
  let pixels = params.batch * params.out_height * params.out_width;
  for (var i = 0u; i < OWN_ROWS; i++) {
    let pixel = first + own_row(local_id, i);
    for (var j = 0u; j < 2u; j++) {
      let group = first_group + own_group(local_id, j);
      if (pixel < pixels && group < out_groups) {
        var sum = sums[2u * i + j];
        if (BIAS && workgroup_id.z == 0u) { sum += vec4f(bias[group]); }
        out[(workgroup_id.z * pixels + pixel) * out_groups + group] = vec4<O>(sum);
      }
    }
  }
}
