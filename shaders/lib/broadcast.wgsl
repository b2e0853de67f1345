// How up to three operands a, b and c of an elementwise function are read where their shapes broadcast. One invocation makes
// several vec4s of out (lib/vectors.wgsl) and finds by a walk (lib/walk.wgsl) what it cannot find by their number:
//
//   var walk = walk_from(span.first);
//   for (var i = span.first; i < span.end; i += WORKGROUP) {
//     let at = places(walk);    // of the elements of a: at.a, and so on
//     ...
//     walk_on(&walk);
//   }
//
// requires: lib/vectors.wgsl, lib/walk.wgsl

// Layouts.
const WHOLE = 0u;     // as out: vec4 number i
const SINGLE = 1u;    // one element for all
const VECTOR = 2u;    // the last axis is that of out: one vec4, its place counted in vec4s
const REPEATED = 3u;  // the last axis repeats one element, its place counted in elements
const SCATTERED = 4u; // four elements, each in a place of its own

override LAYOUT_A: u32 = WHOLE;
override LAYOUT_B: u32 = WHOLE;
override LAYOUT_C: u32 = WHOLE;

// The walk's steps are vec4s, unless an operand is SCATTERED; then they are elements.
fn is_walked() -> bool {
  return LAYOUT_A >= VECTOR || LAYOUT_B >= VECTOR || LAYOUT_C >= VECTOR;
}

fn by_element() -> bool {
  return LAYOUT_A == SCATTERED || LAYOUT_B == SCATTERED || LAYOUT_C == SCATTERED;
}

fn walk_from(vector: u32) -> Walk {
  if (!is_walked()) { return Walk(); }
  return walk_to(select(vector, 4u * vector, by_element()));
}

// Where four neighbours are; unless the walk goes by elements, x is the place of all four.
struct Places {
  a: vec4u,
  b: vec4u,
  c: vec4u,
}

fn places(walk: Walk) -> Places {
  if (!by_element()) { return Places(walk.at.xxxx, walk.at.yyyy, walk.at.zzzz); }
  var second = walk;
  next(&second);
  var third = second;
  next(&third);
  var fourth = third;
  next(&fourth);
  return Places(
    vec4u(walk.at.x, second.at.x, third.at.x, fourth.at.x),
    vec4u(walk.at.y, second.at.y, third.at.y, fourth.at.y),
    vec4u(walk.at.z, second.at.z, third.at.z, fourth.at.z),
  );
}

// On to the next vec4 of the invocation.
fn walk_on(walk: ptr<function, Walk>) {
  if (is_walked()) { jump(walk); }
}
