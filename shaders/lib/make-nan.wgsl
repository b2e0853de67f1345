// A NaN of its own. A constant one does not compile, and 0 / 0 may be folded to anything; these bits come from a variable.

fn nan_like(x: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(x) | 0x7fc00000u);
}
