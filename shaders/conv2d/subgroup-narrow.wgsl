enable subgroups;

// Convolution as a matrix product on subgroups of 8, for images with few channels, such as the first layer of a network: any
// number of channels of x, multiples of 4 of out, no groups. Formula: geometry.wgsl.
//
// As subgroup.wgsl, but k runs over taps and channels as one sequence, kh kw cin long, in which w is stored too; each lane
// gathers the 4 values of x for 4 steps of k one by one, for each of its 4 pixels.
// Cost: 2 kh kw cin cout flops a pixel, 16 single loads a lane for 512 (or 256) multiplications.
//
// requires: lib/grid.wgsl
// requires: lib/subgroup-tile.wgsl
// requires: conv2d/geometry.wgsl
// requires: conv2d/tap-steps.wgsl

alias T = f32; // storage; sums are f32
alias V = vec4<T>;

override BIAS: bool = false;

@group(0) @binding(0) var<storage, read> x: array<T>;         // [batch, height, width, cin]
@group(0) @binding(1) var<storage, read> w: array<V>;         // [kh, kw, cin, cout]
@group(0) @binding(2) var<storage, read> bias: array<V>;      // [cout]; without BIAS anything
@group(0) @binding(3) var<storage, read_write> out: array<V>; // [batch, out_height, out_width, cout]
@group(0) @binding(4) var<uniform> params: Params;

fn load(p: Pixel, step: Step) -> f32 {
  let source = source_of(p, step);
  return select(0.0, f32(x[source.at]), source.inside);
}

fn load_row(p: Pixel, s0: Step, s1: Step, s2: Step, s3: Step) -> vec4f {
  return vec4f(load(p, s0), load(p, s1), load(p, s2), load(p, s3));
}

@compute @workgroup_size(LANES)
fn main(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) lane: u32,
) {
  let steps = params.kernel_height * params.kernel_width * params.in_channels;
  let out_groups = params.out_channels / 4u;
  let tiles = (out_groups + COLUMN_GROUPS - 1u) / COLUMN_GROUPS;
  let tile = linear_workgroup(workgroup_id, num_workgroups);
  let first = tile / tiles * TILE_ROWS;
  let group = tile % tiles * COLUMN_GROUPS;
  let corner = pixel_at(first, params.out_height, params.out_width);
  let p0 = pixel_after(corner, lane, params.out_height, params.out_width);
  let p1 = pixel_after(corner, lane + LANES, params.out_height, params.out_width);
  let p2 = pixel_after(corner, lane + 2u * LANES, params.out_height, params.out_width);
  let p3 = pixel_after(corner, lane + 3u * LANES, params.out_height, params.out_width);
  var step = Step(0u, 0u, 0u);
  var acc: Tile;
  for (var k = 0u; k < steps; k += 4u) {
    var columns: Columns;
    for (var j = 0u; j < COLUMN_GROUPS / 2u; j++) {
      let f = j * LANES + lane;
      let row = k + f / COLUMN_GROUPS;
      let column = min(group + f % COLUMN_GROUPS, out_groups - 1u);
      columns[j] = select(vec4f(), vec4f(w[min(row, steps - 1u) * out_groups + column]), row < steps);
    }
    let s1 = next(step);
    let s2 = next(s1);
    let s3 = next(s2);
    let rows = Rows(
      load_row(p0, step, s1, s2, s3),
      load_row(p1, step, s1, s2, s3),
      load_row(p2, step, s1, s2, s3),
      load_row(p3, step, s1, s2, s3),
    );
    multiply_by_columns(&acc, rows, columns);
    step = next(s3);
  }
  let end = min(first + TILE_ROWS, params.batch * params.out_height * params.out_width);
  var sums = acc; // see lib/subgroup-tile.wgsl
  var row_sums = 0u;
  for (var pixel = first + lane; pixel < end; pixel += LANES) {
    for (var q = group; q < min(group + COLUMN_GROUPS, out_groups); q++) {
      var sum = sums[row_sums + q - group];
      if (BIAS) { sum += vec4f(bias[q]); }
      out[pixel * out_groups + q] = V(sum);
    }
    row_sums += ROW_SUMS;
  }
}
