// Gradient of a convolution with respect to its input, in registers: channels in multiples of 4 on both sides of every group.
// Formula: input-gradient-direct.wgsl.
//
// One invocation makes 4 pixels of one phase x 4 channels: for each tap that reaches them and each 4 channels of dy it loads 4
// vec4s of dy, zero outside, and 4 of w along the channels of dy, and makes 64 multiplications of them.
// Cost: 2 kh kw (cout / groups) cin / (stride_y stride_x) flops a pixel. The portable variant.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage; sums are f32
alias V = vec4<T>;

const SIDE = 8u;  // invocations of a workgroup in each direction
const OWN = 4u;   // pixels of an invocation
const TILE = 32u; // OWN * SIDE

@group(0) @binding(0) var<storage, read> dy: array<V>;       // [batch, out_height, out_width, cout]
@group(0) @binding(1) var<storage, read> w: array<V>;        // [kh, kw, cin / groups, cout]
@group(0) @binding(2) var<storage, read_write> dx: array<V>; // [batch, height, width, cin]
@group(0) @binding(3) var<uniform> params: Params;

// A place in dy: vec4 number `at`, if `inside`.
struct Place { at: u32, inside: bool }

fn place_of(p: Pixel, down: i32, right: i32, first: u32) -> Place {
  let oy = i32(p.y) + down;
  let ox = i32(p.x) + right;
  let is_inside = p.image < params.batch && inside(oy, params.out_height) && inside(ox, params.out_width);
  let pixel = (p.image * params.out_height + u32(oy)) * params.out_width + u32(ox);
  return Place(select(0u, pixel * (params.out_channels / 4u) + first, is_inside), is_inside);
}

fn load(place: Place, c: u32) -> vec4f {
  return select(vec4f(), vec4f(dy[place.at + c]), place.inside);
}

// A product of mat4x4f would do, but compilers do not contract it to fma.
fn multiply(a: vec4f, b: mat4x4f, sum: vec4f) -> vec4f {
  return fma(vec4f(a.w), b[3], fma(vec4f(a.z), b[2], fma(vec4f(a.y), b[1], fma(vec4f(a.x), b[0], sum))));
}

@compute @workgroup_size(SIDE, SIDE)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_id) local_id: vec3u,
) {
  let pixels = params.batch * params.phase_height * params.phase_width;
  let in_groups = params.in_channels / 4u;
  let tiles = (in_groups + SIDE - 1u) / SIDE;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let first = tile / tiles * TILE + local_id.y * OWN;
  let column = tile % tiles * SIDE + local_id.x;
  if (first >= pixels || column >= in_groups) { return; }
  let out_groups = params.out_channels / 4u;
  let group_in = in_groups / params.groups;
  let group_out = out_groups / params.groups;
  let dy_first = column / group_in * group_out;
  let p0 = pixel_at(first, params.phase_height, params.phase_width);
  let p1 = pixel_after(p0, 1u, params.phase_height, params.phase_width);
  let p2 = pixel_after(p0, 2u, params.phase_height, params.phase_width);
  let p3 = pixel_after(p0, 3u, params.phase_height, params.phase_width);
  var sums: array<vec4f, OWN>;
  var down = params.shift_y;
  for (var ky = params.tap_y; ky < params.kernel_height; ky += params.tap_step_y) {
    var right = params.shift_x;
    for (var kx = params.tap_x; kx < params.kernel_width; kx += params.tap_step_x) {
      let d0 = place_of(p0, down, right, dy_first);
      let d1 = place_of(p1, down, right, dy_first);
      let d2 = place_of(p2, down, right, dy_first);
      let d3 = place_of(p3, down, right, dy_first);
      let tap = ky * params.kernel_width + kx;
      let w_first = ((tap * group_in + column % group_in) * 4u) * out_groups + dy_first;
      for (var c = 0u; c < group_out; c++) {
        let at = w_first + c;
        let b = transpose(mat4x4f(
          vec4f(w[at]),
          vec4f(w[at + out_groups]),
          vec4f(w[at + 2u * out_groups]),
          vec4f(w[at + 3u * out_groups]),
        ));
        sums[0] = multiply(load(d0, c), b, sums[0]);
        sums[1] = multiply(load(d1, c), b, sums[1]);
        sums[2] = multiply(load(d2, c), b, sums[2]);
        sums[3] = multiply(load(d3, c), b, sums[3]);
      }
      right -= i32(params.shift_step_x);
    }
    down -= i32(params.shift_step_y);
  }
  for (var p = 0u; p < min(OWN, pixels - first); p++) {
    dx[phase_pixel(pixel_after(p0, p, params.phase_height, params.phase_width)) * in_groups + column] = V(sums[p]);
  }
}
