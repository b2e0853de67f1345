// The gradient of batch normalisation. With g = dy where act let y through and 0 elsewhere, n rows, h = x - mean and
// s = 1 / sqrt(variance + eps), per channel:
//
//   dresidual = g      dbias = sum of g      dweight = s * sum of g * h
//   dx = s * weight * (g - dbias / n - h * s * dweight / n)     with the statistics of the batch
//   dx = s * weight * g                                         with running statistics
//
//   sums             each slice of a column: sum of g, sum of g * h
//   sums_and_mask    the same, and g is written, for the residual and for `input`
//   combine          the slices of a channel: dweight, dbias, and what dx needs of them
//   input            dx
//
// relu let y through where y > 0. Without a residual that is computed again from x, which has to be read anyway, rather
// than read from y. The moments are those of batch-norm.wgsl; the rows are shared out as there. Cost: sums reads x and
// dy; sums_and_mask also reads y and writes g; input reads x and dy (or g) and writes dx.
//
// requires: lib/grid.wgsl, lib/column-slices.wgsl

alias S = vec4<f32>; // elements in memory
alias V = vec4<f32>; // what is computed with

const WORKGROUP = 64u;

override BATCH_STATISTICS: bool = true; // mean and variance depend on x
override TEAM: u32 = 64u;               // invocations of combine that share a column, as in batch-norm.wgsl

struct Params {
  rows: u32,
  columns: u32, // vectors of channels
  group: u32,
  rows_per_group: u32,
  slices: u32, // of each column
  mask: u32,   // 1: dy has to be masked by relu, from x. Next to nothing beside the loads, and an override makes more pipelines
}

@group(0) @binding(0) var<storage, read> x: array<S>;       // [rows, columns]
@group(0) @binding(1) var<storage, read> dy: array<S>;      // [rows, columns]
@group(0) @binding(2) var<storage, read> y: array<S>;       // [rows, columns]
@group(0) @binding(3) var<storage, read> moments: array<V>; // [5, columns]
@group(0) @binding(4) var<storage, read_write> g: array<S>; // [rows, columns]
@group(0) @binding(5) var<storage, read_write> partials_out: array<V>; // [slices, 2, columns]: sum of g, sum of g * h
@group(0) @binding(6) var<storage, read> partials: array<V>;
@group(0) @binding(7) var<storage, read_write> dweight: array<V>;      // [columns]
@group(0) @binding(8) var<storage, read_write> dbias: array<V>;        // [columns]
// [2, columns]: dx = s * weight * g + slopes[0] * h + slopes[1]
@group(0) @binding(9) var<storage, read_write> slopes_out: array<V>;
@group(0) @binding(10) var<storage, read> slopes: array<V>;
@group(0) @binding(11) var<storage, read_write> dx: array<S>; // [rows, columns]
@group(0) @binding(12) var<uniform> params: Params;

fn slice_at(index: u32) -> Slice {
  return slice_of(index, params.rows, params.columns, params.group, params.rows_per_group);
}

// The moments of one column.
struct Channel {
  pivot: V,
  offset: V,
  scale: V,
  shift: V,
}

fn channel_of(column: u32) -> Channel {
  return Channel(
    moments[column],
    moments[params.columns + column],
    moments[3u * params.columns + column],
    moments[4u * params.columns + column],
  );
}

fn masked(slope: V, distance: V, channel: Channel) -> V {
  if (params.mask == 0u) { return slope; }
  return select(slope, V(0.0), fma(distance, channel.scale, channel.shift) <= V(0.0));
}

@compute @workgroup_size(WORKGROUP)
fn sums(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let part = slice_at(linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index);
  if (part.slice >= params.slices) { return; }
  let channel = channel_of(part.column);
  var total = V(0.0);
  var product = V(0.0);
  for (var row = part.first; row < part.end; row += part.step) {
    let i = row * params.columns + part.column;
    let distance = (V(x[i]) - channel.pivot) - channel.offset;
    let slope = masked(V(dy[i]), distance, channel);
    total += slope;
    product = fma(slope, distance, product);
  }
  write_partials(part, total, product);
}

fn write_partials(part: Slice, total: V, product: V) {
  let at = 2u * part.slice * params.columns + part.column;
  partials_out[at] = total;
  partials_out[at + params.columns] = product;
}

@compute @workgroup_size(WORKGROUP)
fn sums_and_mask(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let part = slice_at(linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index);
  if (part.slice >= params.slices) { return; }
  let channel = channel_of(part.column);
  var total = V(0.0);
  var product = V(0.0);
  for (var row = part.first; row < part.end; row += part.step) {
    let i = row * params.columns + part.column;
    let slope = select(V(dy[i]), V(0.0), V(y[i]) <= V(0.0));
    g[i] = S(slope);
    total += slope;
    product = fma(slope, (V(x[i]) - channel.pivot) - channel.offset, product);
  }
  write_partials(part, total, product);
}

struct Sums {
  total: V,
  product: V,
}

var<workgroup> tree: array<Sums, WORKGROUP>;

// The sums of every TEAM-th slice from `member` on.
fn sums_of_slices(column: u32, member: u32) -> Sums {
  var own = Sums(V(0.0), V(0.0));
  if (column >= params.columns) { return own; }
  for (var slice = member; slice < params.slices; slice += TEAM) {
    let at = 2u * slice * params.columns + column;
    own = Sums(own.total + partials[at], own.product + partials[at + params.columns]);
  }
  return own;
}

// The sums of a whole column; valid in the first member of the team.
fn sums_of_column(column: u32, local_index: u32) -> Sums {
  let member = local_index % TEAM;
  let own = sums_of_slices(column, member);
  if (TEAM == 1u) { return own; }
  tree[local_index] = own;
  for (var half = TEAM / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (member < half) {
      let other = tree[local_index + half];
      tree[local_index] = Sums(tree[local_index].total + other.total, tree[local_index].product + other.product);
    }
  }
  return tree[local_index];
}

@compute @workgroup_size(WORKGROUP)
fn combine(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let column = (linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index) / TEAM;
  let column_sums = sums_of_column(column, local_index);
  if (column < params.columns && local_index % TEAM == 0u) { write_sums(column, column_sums); }
}

fn write_sums(column: u32, column_sums: Sums) {
  let deviation = moments[2u * params.columns + column];
  let scale = moments[3u * params.columns + column] / f32(params.rows);
  dbias[column] = column_sums.total;
  dweight[column] = column_sums.product * deviation;
  slopes_out[column] = -scale * deviation * deviation * column_sums.product;
  slopes_out[params.columns + column] = -scale * column_sums.total;
}

// `dy` is g where sums_and_mask wrote it.
@compute @workgroup_size(WORKGROUP)
fn input(
  @builtin(workgroup_id) workgroup_id: vec3u,
  @builtin(num_workgroups) num_workgroups: vec3u,
  @builtin(local_invocation_index) local_index: u32,
) {
  let part = slice_at(linear_workgroup(workgroup_id, num_workgroups) * WORKGROUP + local_index);
  if (part.slice >= params.slices) { return; }
  let channel = channel_of(part.column);
  var slope_of_distance = V(0.0);
  var constant = V(0.0);
  if (BATCH_STATISTICS) {
    slope_of_distance = slopes[part.column];
    constant = slopes[params.columns + part.column];
  }
  for (var row = part.first; row < part.end; row += part.step) {
    let i = row * params.columns + part.column;
    let distance = (V(x[i]) - channel.pivot) - channel.offset;
    let slope = channel.scale * masked(V(dy[i]), distance, channel);
    dx[i] = S(slope + fma(slope_of_distance, distance, constant));
  }
}
