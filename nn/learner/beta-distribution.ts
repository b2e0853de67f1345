/** @file Numbers of the beta distribution, on the host. */

/** Numbers in (0, 1), each equally likely. */
type Uniform = () => number;

/**
 * A number of Beta(alpha, alpha): g / (g + h) with two numbers of Gamma(alpha), of which only the logarithms are known, because for a small
 * alpha both may be less than a float64 can be.
 */
export function drawBeta(alpha: number, uniform: Uniform): number {
  const difference = drawLogGamma(alpha, uniform) - drawLogGamma(alpha, uniform);
  return 1 / (1 + Math.exp(-difference));
}

/**
 * The logarithm of a number of Gamma(alpha), from one of Gamma(alpha + 1): `ln g + ln(u) / alpha`.
 * Source: Marsaglia and Tsang, A simple method for generating gamma variables, ACM TOMS 26 (2000): d v with d = alpha + 2/3,
 * v = (1 + z / sqrt(9 d))^3, accepted when ln u < z^2 / 2 + d - d v + d ln v.
 */
function drawLogGamma(alpha: number, uniform: Uniform): number {
  const d = alpha + 2 / 3;
  for (;;) {
    const z = drawNormal(uniform);
    const v = (1 + z / Math.sqrt(9 * d)) ** 3;
    if (v <= 0) continue;
    if (Math.log(uniform()) >= (z * z) / 2 + d - d * v + d * Math.log(v)) continue;
    return Math.log(d * v) + Math.log(uniform()) / alpha;
  }
}

/** By Box and Muller. */
function drawNormal(uniform: Uniform): number {
  return Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
