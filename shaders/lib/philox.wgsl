// Random numbers as a pure function of a counter and a key: invocations need no shared state, and the same counter gives the same
// bits on every device. Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (SC 2011),
// Philox4x32-10. The host's twin is engine/philox.ts.

// The upper 32 bits of the product of two 32-bit words, from products of their halves: WGSL has no 64-bit integers.
fn multiply_high(a: u32, b: u32) -> u32 {
  let a_low = a & 0xffffu;
  let a_high = a >> 16u;
  let b_low = b & 0xffffu;
  let b_high = b >> 16u;
  let middle = a_high * b_low + ((a_low * b_low) >> 16u);
  let other = a_low * b_high + (middle & 0xffffu);
  return a_high * b_high + (middle >> 16u) + (other >> 16u);
}

fn philox4x32(counter: vec4u, key: vec2u) -> vec4u {
  var c = counter;
  var k = key;
  for (var round = 0u; round < 10u; round++) {
    let high = vec2u(multiply_high(0xd2511f53u, c.x), multiply_high(0xcd9e8d57u, c.z));
    let low = vec2u(0xd2511f53u, 0xcd9e8d57u) * c.xz;
    c = vec4u(high.y ^ c.y ^ k.x, low.y, high.x ^ c.w ^ k.y, low.x);
    k += vec2u(0x9e3779b9u, 0xbb67ae85u);
  }
  return c;
}

// Block `i` after the 64-bit number `start` (low word first).
fn random_block(start: vec2u, i: u32, key: vec2u) -> vec4u {
  let low = start.x + i;
  return philox4x32(vec4u(low, start.y + select(0u, 1u, low < i), 0u, 0u), key);
}

// [0, 1) in steps of 2^-24: every value is an f32, so nothing is rounded.
fn uniform4(words: vec4u) -> vec4f {
  return vec4f(words >> vec4u(8u)) * 0x1p-24;
}
