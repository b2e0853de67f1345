// The most arithmetic that the adapter can do: independent chains of fma that never leave the registers.
//
// Each invocation keeps 16 sums; two steps of each in an iteration: 64 flops, no memory. The factor is not known
// to the compiler, so no chain can be shortened, and its values stay finite.

override ITERATIONS: u32 = 2048u;

@group(0) @binding(0) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  let x = 0.999 + f32(id.x & 7u) * 1e-5;
  let y = 1e-3;
  var s0 = 0.0; var s1 = 0.1; var s2 = 0.2; var s3 = 0.3;
  var s4 = 0.4; var s5 = 0.5; var s6 = 0.6; var s7 = 0.7;
  var s8 = 0.8; var s9 = 0.9; var s10 = 1.0; var s11 = 1.1;
  var s12 = 1.2; var s13 = 1.3; var s14 = 1.4; var s15 = 1.5;
  for (var i = 0u; i < ITERATIONS; i++) {
    s0 = fma(s0, x, y); s1 = fma(s1, x, y); s2 = fma(s2, x, y); s3 = fma(s3, x, y);
    s4 = fma(s4, x, y); s5 = fma(s5, x, y); s6 = fma(s6, x, y); s7 = fma(s7, x, y);
    s8 = fma(s8, x, y); s9 = fma(s9, x, y); s10 = fma(s10, x, y); s11 = fma(s11, x, y);
    s12 = fma(s12, x, y); s13 = fma(s13, x, y); s14 = fma(s14, x, y); s15 = fma(s15, x, y);
    s0 = fma(s0, x, y); s1 = fma(s1, x, y); s2 = fma(s2, x, y); s3 = fma(s3, x, y);
    s4 = fma(s4, x, y); s5 = fma(s5, x, y); s6 = fma(s6, x, y); s7 = fma(s7, x, y);
    s8 = fma(s8, x, y); s9 = fma(s9, x, y); s10 = fma(s10, x, y); s11 = fma(s11, x, y);
    s12 = fma(s12, x, y); s13 = fma(s13, x, y); s14 = fma(s14, x, y); s15 = fma(s15, x, y);
  }
  out[id.x] = (((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7)))
    + (((s8 + s9) + (s10 + s11)) + ((s12 + s13) + (s14 + s15)));
}
