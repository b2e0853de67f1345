// Walks through up to four tensors at once, each by strides of its own, in the order of the elements of one common shape. Only
// the first place takes divisions, one an axis; from there on a walk goes by additions, as the wheels of an odometer turn:
// software adapters divide whole numbers lane by lane.
//
// Axes count from the innermost. The Params of a shader that requires this hold (engine/ops/walk.ts makes them):
//
//   shape: array<vec4<u32>, 2>    sizes of the RANK axes
//   jump: array<vec4<u32>, 2>     how far a jump goes along each axis
//   start: vec4<u32>              where each tensor begins
//   strides: array<vec4<u32>, 8>  of each axis in each tensor; 0 repeats, a negative one, modulo 2^32, reverses

// At least 1. Known when the pipeline is compiled, so that loops over the axes are unrolled.
override RANK: u32 = 1u;

struct Walk {
  at: vec4u,   // place in each tensor
  low: vec4u,  // index along the axes 0 to 3
  high: vec4u, // and 4 to 7
}

fn size_along(axis: u32) -> u32 {
  return params.shape[axis / 4u][axis % 4u];
}

fn index_along(walk: Walk, axis: u32) -> u32 {
  if (axis < 4u) { return walk.low[axis]; }
  return walk.high[axis - 4u];
}

fn set_index(walk: ptr<function, Walk>, axis: u32, index: u32) {
  if (axis < 4u) { (*walk).low[axis] = index; } else { (*walk).high[axis - 4u] = index; }
}

// The place of element number `position` of the common shape.
fn walk_to(position: u32) -> Walk {
  var walk: Walk;
  walk.at = params.start;
  var rest = position;
  for (var axis = 0u; axis < RANK; axis++) {
    var index = rest;
    if (axis + 1u < RANK) {
      rest /= size_along(axis);
      index -= rest * size_along(axis);
    }
    set_index(&walk, axis, index);
    walk.at += index * params.strides[axis];
  }
  return walk;
}

// Turns one wheel by at most the size of its axis; returns what that turns the next wheel by.
fn turn(walk: ptr<function, Walk>, axis: u32, distance: u32) -> u32 {
  let index = index_along(*walk, axis) + distance;
  let is_over = axis + 1u < RANK && index >= size_along(axis);
  let back = select(0u, size_along(axis), is_over);
  set_index(walk, axis, index - back);
  (*walk).at += (distance - back) * params.strides[axis];
  return u32(is_over);
}

// Goes on to the next element.
fn next(walk: ptr<function, Walk>) {
  var carry = 1u;
  for (var axis = 0u; axis < RANK; axis++) { carry = turn(walk, axis, carry); }
}

// Goes on by a jump.
fn jump(walk: ptr<function, Walk>) {
  var carry = 0u;
  for (var axis = 0u; axis < RANK; axis++) {
    carry = turn(walk, axis, params.jump[axis / 4u][axis % 4u] + carry);
  }
}
