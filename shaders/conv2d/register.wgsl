// Convolution in registers: channels in multiples of 4 on both sides of every group. Formula: geometry.wgsl.
//
// One invocation makes 4 pixels x 4 channels: for each tap and each 4 channels of x it loads 4 vec4s of x, zero outside the
// image, and 4 of w, and makes 64 multiplications of them.
// Cost: 2 kh kw (cin / groups) cout flops a pixel; x is read kh kw cout / 4 times, w pixels / 4 times, from the cache. The portable
// variant: no subgroups, no workgroup memory.
//
// requires: lib/grid.wgsl
// requires: conv2d/geometry.wgsl

alias T = f32; // storage; sums are f32
alias V = vec4<T>;

override BIAS: bool = false;

const SIDE = 8u;  // invocations of a workgroup in each direction
const OWN = 4u;   // pixels of an invocation
const TILE = 32u; // OWN * SIDE

@group(0) @binding(0) var<storage, read> x: array<V>;         // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> w: array<V>;         // [kh, kw, cin / groups, cout]
@group(0) @binding(2) var<storage, read> bias: array<V>;      // [cout]; without BIAS anything
@group(0) @binding(3) var<storage, read_write> out: array<V>; // [batch, out_height, out_width, cout]
@group(0) @binding(4) var<uniform> params: Params;

// A place in x: vec4 number `at`, if `inside`.
struct Place { at: u32, inside: bool }

fn place_of(p: Pixel, ky: u32, kx: u32, first: u32) -> Place {
  let y = input_y(p.y, ky);
  let ix = input_x(p.x, kx);
  let is_inside = p.image < params.batch && inside(y, params.height) && inside(ix, params.width);
  let pixel = (p.image * params.height + u32(y)) * params.width + u32(ix);
  return Place(select(0u, pixel * (params.in_channels / 4u) + first, is_inside), is_inside);
}

fn load(place: Place, c: u32) -> vec4f {
  return select(vec4f(), vec4f(x[place.at + c]), place.inside);
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
  let pixels = params.batch * params.out_height * params.out_width;
  let out_groups = params.out_channels / 4u;
  let tiles = (out_groups + SIDE - 1u) / SIDE;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let first = tile / tiles * TILE + local_id.y * OWN;
  let column = tile % tiles * SIDE + local_id.x;
  if (first >= pixels || column >= out_groups) { return; }
  let in_groups = params.in_channels / params.groups / 4u;
  let x_first = column / (out_groups / params.groups) * in_groups;
  let p0 = pixel_at(first, params.out_height, params.out_width);
  let p1 = pixel_after(p0, 1u, params.out_height, params.out_width);
  let p2 = pixel_after(p0, 2u, params.out_height, params.out_width);
  let p3 = pixel_after(p0, 3u, params.out_height, params.out_width);
  var w_at = column;
  var sums: array<vec4f, OWN>;
  if (BIAS) { for (var p = 0u; p < OWN; p++) { sums[p] = vec4f(bias[column]); } }
  for (var ky = 0u; ky < params.kernel_height; ky++) {
    for (var kx = 0u; kx < params.kernel_width; kx++) {
      let x0 = place_of(p0, ky, kx, x_first);
      let x1 = place_of(p1, ky, kx, x_first);
      let x2 = place_of(p2, ky, kx, x_first);
      let x3 = place_of(p3, ky, kx, x_first);
      for (var c = 0u; c < in_groups; c++) {
        let b = mat4x4f(
          vec4f(w[w_at]),
          vec4f(w[w_at + out_groups]),
          vec4f(w[w_at + 2u * out_groups]),
          vec4f(w[w_at + 3u * out_groups]),
        );
        sums[0] = multiply(load(x0, c), b, sums[0]);
        sums[1] = multiply(load(x1, c), b, sums[1]);
        sums[2] = multiply(load(x2, c), b, sums[2]);
        sums[3] = multiply(load(x3, c), b, sums[3]);
        w_at += 4u * out_groups;
      }
    }
  }
  for (var p = 0u; p < min(OWN, pixels - first); p++) {
    out[(first + p) * out_groups + column] = V(sums[p]);
  }
}
