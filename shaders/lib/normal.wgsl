// Numbers of the standard normal distribution from random words, two from two uniforms:
//
//   z = sqrt(-2 ln u1) (cos t, sin t), t = 2 pi u2
//
// Source: Box and Muller, A note on the generation of random normal deviates (1958).
//
// requires: lib/philox.wgsl

fn normal4(words: vec4u) -> vec4f {
  // (0, 1], so that the logarithm is finite; all 32 bits, for the tails. ln may err to above 0 near 1: max.
  let u1 = vec2f(words.xz) * 0x1p-32 + 0x1p-33;
  let radius = sqrt(max(-2.0 * log(u1), vec2f(0.0)));
  // An angle in [-pi, pi), where WGSL promises the accuracy of sin and cos.
  let angle = 6.283185307179586 * (uniform4(words).yw - 0.5);
  return vec4f(radius * cos(angle), radius * sin(angle)).xzyw;
}
