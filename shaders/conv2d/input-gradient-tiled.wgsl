// Gradient of a convolution with respect to its input by tiles in workgroup memory, without groups, channels in multiples of 4
// on both sides. Formula: input-gradient-direct.wgsl. Rows are pixels of one phase of dx (see Params), columns its
// channels, k runs over the taps that reach the phase and the channels of dy.
//
// A workgroup makes 64 (or 32) pixels x 64 channels of one part of the sum: lib/workgroup-tile.wgsl. For each 16 steps of k every invocation
// loads the same 4 steps for 4 (or 2) pixels, a vec4 of dy each, zero outside; and 4 channels of w over 4 steps of k, which are
// contiguous there, turned round in registers.
// Cost: 2 kh kw cin cout / (stride_y stride_x) flops a pixel. The variant for GPUs.
//
// requires: lib/grid.wgsl
// requires: lib/workgroup-tile.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage of dy and w; sums are f32
alias O = f32; // storage of the result
alias V = vec4<T>;

@group(0) @binding(0) var<storage, read> dy: array<V>;            // [batch, out_height, out_width, cout]
@group(0) @binding(1) var<storage, read> w: array<V>;             // [kh, kw, cin, cout]
@group(0) @binding(2) var<storage, read_write> dx: array<vec4<O>>; // [parts, batch, height, width, cin]
@group(0) @binding(3) var<uniform> params: Params;

// A step of k: a tap, how far from the pixel of the phase it reads dy, and a channel group of dy. Past the last one ky is
// kernel_height or more.
struct Step { ky: u32, kx: u32, down: i32, right: i32, group: u32 }

// Taps that reach the phase in a row of the kernel.
fn taps_across() -> u32 {
  return (params.kernel_width - params.tap_x + params.tap_step_x - 1u) / params.tap_step_x;
}

fn step_at(group: u32) -> Step {
  let out_groups = params.out_channels / 4u;
  let tap = group / out_groups;
  let row = tap / taps_across();
  let column = tap % taps_across();
  return Step(
    params.tap_y + row * params.tap_step_y,
    params.tap_x + column * params.tap_step_x,
    params.shift_y - i32(row * params.shift_step_y),
    params.shift_x - i32(column * params.shift_step_x),
    group % out_groups,
  );
}

fn load_dy(p: Pixel, step: Step) -> vec4f {
  let oy = i32(p.y) + step.down;
  let ox = i32(p.x) + step.right;
  let is_inside =
    p.image < params.batch && step.ky < params.kernel_height && inside(oy, params.out_height) && inside(ox, params.out_width);
  let pixel = (p.image * params.out_height + u32(oy)) * params.out_width + u32(ox);
  return select(vec4f(), vec4f(dy[select(0u, pixel * (params.out_channels / 4u) + step.group, is_inside)]), is_inside);
}

// Channel ci of w, 4 steps of k.
fn load_w(step: Step, ci: u32) -> vec4f {
  let is_real = step.ky < params.kernel_height && ci < params.in_channels;
  let row = (step.ky * params.kernel_width + step.kx) * params.in_channels + ci;
  return select(vec4f(), vec4f(w[select(0u, row * (params.out_channels / 4u) + step.group, is_real)]), is_real);
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_id) local_id: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let in_groups = params.in_channels / 4u;
  let taps_down = (params.kernel_height - params.tap_y + params.tap_step_y - 1u) / params.tap_step_y;
  let part = steps_of_part(taps_down * taps_across() * params.out_channels, workgroup_id.z, params.parts);
  let tiles = (in_groups + COLUMN_GROUPS - 1u) / COLUMN_GROUPS;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let first = tile / tiles * tile_rows();
  let first_group = tile % tiles * COLUMN_GROUPS;
  // What the invocation loads: a quarter of a step for the pixels `loaded`, `loaded` + 16, ... and for one column group.
  let quarter = local_index % STEP_GROUPS;
  let loaded = local_index / STEP_GROUPS;
  let ci = 4u * (first_group + loaded);
  var pixels: array<Pixel, 4>;
  for (var i = 0u; i < OWN_ROWS / 2u; i++) {
    pixels[i] = pixel_at(first + loaded + 16u * i, params.phase_height, params.phase_width);
  }
  var sums: Sums;
  for (var group = STEP_GROUPS * part.first; group < STEP_GROUPS * part.end; group += STEP_GROUPS) {
    let step = step_at(group + quarter);
    for (var i = 0u; i < OWN_ROWS / 2u; i++) { set_a(loaded + 16u * i, quarter, load_dy(pixels[i], step)); }
    let rows = transpose(mat4x4f(load_w(step, ci), load_w(step, ci + 1u), load_w(step, ci + 2u), load_w(step, ci + 3u)));
    set_b(4u * quarter, loaded, rows[0]);
    set_b(4u * quarter + 1u, loaded, rows[1]);
    set_b(4u * quarter + 2u, loaded, rows[2]);
    set_b(4u * quarter + 3u, loaded, rows[3]);
    workgroupBarrier();
    multiply_tiles(&sums, local_id);
    workgroupBarrier();
  }
  let before = workgroup_id.z * params.batch * params.height * params.width; // pixels of other parts
  for (var i = 0u; i < OWN_ROWS; i++) {
    let pixel = pixel_at(first + own_row(local_id, i), params.phase_height, params.phase_width);
    for (var j = 0u; j < 2u; j++) {
      let group = first_group + own_group(local_id, j);
      if (pixel.image < params.batch && group < in_groups) {
        dx[(before + phase_pixel(pixel)) * in_groups + group] = vec4<O>(sums[2u * i + j]);
      }
    }
  }
}
