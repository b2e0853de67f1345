// What the kernels of softmax and cross-entropy share; their Params hold rows, count and inner. A row is `count` vectors of x, `inner`
// apart, at one place of the other axes. A vector is 4 neighbouring elements of it, or 1 where their number is no multiple of 4 (then
// the aliases become scalars). With ACROSS the elements of a vector belong to neighbouring rows instead.
//
// short: one invocation makes a row, or several, as lib/vectors.wgsl shares them out; up to MOST_HELD vectors it holds in registers.
// long: a team of TREE_SIZE invocations, a workgroup, makes a row. Each takes every TREE_SIZE-th vector of it, so that neighbours load
// neighbours.
//
// A Peak is the maximum of numbers and the sum of e^(x - maximum), found in one walk: whenever a larger number turns up, what was
// added so far is scaled down to it. Each element of a vector goes for itself until the row is joined.
// Source: Milakov and Gimelshein, Online normalizer calculation for softmax (2018), arXiv 1805.02867.
//
// requires: lib/nan.wgsl, lib/vectors.wgsl, lib/workgroup-tree.wgsl

alias S = vec4<f32>; // elements in memory
alias V = vec4<f32>; // what is computed with
alias U = vec4<u32>; // their bits

override LANES: u32 = 4u; // elements in a V
override ACROSS: bool = false;
override HELD: u32 = 0u; // vectors of a short row, if it is held in registers; else 0
const MOST_HELD = 16u;

// Sums are sums of sums of RUN terms: on top of one another, many small equal terms would all be rounded the same way.
const RUN = 32u;

// The lowest f32. Unlike -infinity it can be subtracted from itself.
const LOWEST = -3.4028234663852886e38;

// The vectors of a row that one invocation goes through.
struct Part {
  first: u32,
  end: u32,
  step: u32,
}

fn part_of(row: u32, member: u32, team: u32) -> Part {
  if (!ACROSS) { return Part(row * params.count + member, (row + 1u) * params.count, team); }
  let outer = row / params.inner;
  let first = outer * params.count * params.inner + row - outer * params.inner;
  return Part(first + member * params.inner, first + params.count * params.inner, team * params.inner);
}

fn larger(a: V, b: V) -> V {
  let most = select(max(a, b), b, (bitcast<U>(b) & U(0x7fffffffu)) > U(EXPONENT_BITS));
  return select(most, a, (bitcast<U>(a) & U(0x7fffffffu)) > U(EXPONENT_BITS));
}

// The sum over the elements of a V that was made a vec4f, which repeats a scalar.
fn lanes_sum(v: vec4f) -> f32 {
  if (LANES == 1u) { return v.x; }
  return (v.x + v.z) + (v.y + v.w);
}

// The sum and the largest of the elements of v that belong to one row, in each of them.
fn own_sum(v: V) -> V {
  if (ACROSS) { return v; }
  return V(lanes_sum(vec4f(v)));
}

fn own_largest(v: V) -> V {
  if (ACROSS) { return v; }
  let four = vec4f(v);
  return V(max_nan(max_nan(four.x, four.z), max_nan(four.y, four.w)));
}

// The same of a team. To be called by the whole workgroup at once.
fn team_sum(v: V, member: u32) -> V {
  return V(tree_sum(vec4f(own_sum(v)).x, member));
}

fn team_largest(v: V, member: u32) -> V {
  return V(tree_max(vec4f(own_largest(v)).x, member));
}

struct Peak {
  largest: V,
  total: V,
}

fn peak_of_part(part: Part) -> Peak {
  var peak = Peak(V(LOWEST), V(0.0));
  for (var begin = part.first; begin < part.end; begin += RUN * part.step) {
    let end = min(begin + RUN * part.step, part.end);
    var run = Peak(peak.largest, V(0.0));
    for (var i = begin; i < end; i += part.step) { run = peak_with(run, V(x[i])); }
    peak = Peak(run.largest, total_below(peak, run.largest) + run.total);
  }
  return peak;
}

// With one more number for each element. NaN stays in `largest`, and `is_defined` finds it there, as infinity.
fn peak_with(peak: Peak, number: V) -> Peak {
  let e = exp(-abs(number - peak.largest));
  let total = select(peak.total + e, peak.total * e + 1.0, number > peak.largest);
  return Peak(larger(peak.largest, number), total);
}

// What is left of a row that is held once its maximum is subtracted. Loops run over the whole array, so that they are unrolled and
// it needs no memory.
var<private> held: array<V, MOST_HELD>;

// The same for a whole row, which stays in `held`.
fn peak_of_held(row: Part) -> Peak {
  var largest = V(LOWEST);
  for (var k = 0u; k < MOST_HELD; k++) {
    if (k < HELD) {
      held[k] = V(x[row.first + k * row.step]);
      largest = larger(largest, held[k]);
    }
  }
  largest = own_largest(largest);
  var total = V(0.0);
  for (var k = 0u; k < MOST_HELD; k++) {
    if (k < HELD) {
      held[k] -= largest;
      total += exp(held[k]);
    }
  }
  return Peak(largest, own_sum(total));
}

// The peak of a whole row, the same for all elements.
fn peak_of_row(row: Part) -> Peak {
  if (HELD > 0u) { return peak_of_held(row); }
  let peak = peak_of_part(row);
  let largest = own_largest(peak.largest);
  return Peak(largest, own_sum(total_below(peak, largest)));
}

// The same for a row that a team goes through. To be called by the whole workgroup at once.
fn peak_of_team(part: Part, member: u32) -> Peak {
  let peak = peak_of_part(part);
  let largest = team_largest(peak.largest, member);
  return Peak(largest, team_sum(total_below(peak, largest), member));
}

// What a peak adds to a sum whose maximum is `largest`.
fn total_below(peak: Peak, largest: V) -> V {
  return peak.total * exp(peak.largest - largest);
}

// NaN for rows that hold NaN or +infinity, or nothing but -infinity; else the value. Not left to arithmetic: some devices have
// e^NaN = infinity.
fn if_defined(value: V, peak: Peak) -> V {
  let is_finite = (bitcast<U>(peak.largest) & U(EXPONENT_BITS)) != U(EXPONENT_BITS);
  return select(bitcast<V>(bitcast<U>(value) | U(NAN_BITS)), value, is_finite & (peak.total > V(0.0)));
}
