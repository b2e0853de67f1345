/**
 * @file Floating-point types of 8 and 16 bits, which JavaScript lacks, by one formula: a sign, `exponentBits`, `fractionBits`.
 *
 * value = (-1)^sign * (1 + fraction / 2^F) * 2^(exponent - bias), bias = 2^(E - 1) - 1; without the 1, and with
 * exponent 1, where the exponent is 0.
 *
 * Sources: IEEE 754-2019 section 3.4 (binary16); OCP 8-bit Floating Point Specification 1.0 (E4M3, E5M2).
 */

interface Layout {
  readonly exponentBits: number;
  readonly fractionBits: number;
  /** E4M3 has no infinity: the largest exponent means numbers too, only all ones mean NaN. */
  readonly hasInfinity: boolean;
}

const layouts = {
  F16: { exponentBits: 5, fractionBits: 10, hasInfinity: true },
  BF16: { exponentBits: 8, fractionBits: 7, hasInfinity: true },
  F8_E5M2: { exponentBits: 5, fractionBits: 2, hasInfinity: true },
  F8_E4M3: { exponentBits: 4, fractionBits: 3, hasInfinity: false },
} as const satisfies Record<string, Layout>;

export type SmallFloat = keyof typeof layouts;

/** Every bit pattern's value, made when a type is first met: 65,536 entries at most, and a look-up an element. */
const tables = new Map<SmallFloat, Float32Array>();

/** The values of bit patterns; exact. */
export function decodeSmallFloats(
  type: SmallFloat,
  bits: Uint8Array | Uint16Array,
): Float32Array<ArrayBuffer> {
  let table = tables.get(type);
  if (table === undefined) {
    const layout = layouts[type];
    const patterns = 2 ** (1 + layout.exponentBits + layout.fractionBits);
    table = Float32Array.from({ length: patterns }, (_, pattern) => valueOf(pattern, layout));
    tables.set(type, table);
  }
  const result = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i++) result[i] = table[bits[i] ?? 0] ?? NaN;
  return result;
}

/** The nearest bit patterns, ties to even; overflow becomes infinity, NaN the quiet NaN. For the types of 16 bits. */
export function encodeSmallFloats(
  type: "F16" | "BF16",
  values: ArrayLike<number>,
): Uint16Array<ArrayBuffer> {
  const floats = Float32Array.from(values);
  const words = new Uint32Array(floats.buffer);
  const layout = layouts[type];
  return Uint16Array.from(floats, (value, i) => patternOf(value, words[i] ?? 0, layout));
}

function biasOf({ exponentBits }: Layout): number {
  return 2 ** (exponentBits - 1) - 1;
}

function valueOf(pattern: number, layout: Layout): number {
  const { exponentBits, fractionBits, hasInfinity } = layout;
  const largestExponent = 2 ** exponentBits - 1;
  const largestFraction = 2 ** fractionBits - 1;
  const sign = pattern >>> (exponentBits + fractionBits) === 0 ? 1 : -1;
  const exponent = (pattern >>> fractionBits) & largestExponent;
  const fraction = pattern & largestFraction;
  if (exponent === largestExponent) {
    if (hasInfinity) return fraction === 0 ? sign * Infinity : NaN;
    if (fraction === largestFraction) return NaN;
  }
  const significand = (exponent === 0 ? 0 : 1) + fraction / 2 ** fractionBits;
  return sign * significand * 2 ** (Math.max(1, exponent) - biasOf(layout));
}

/** `float32` are the bits of `value`. Exponent and rounded significand add up: a carry moves on into the exponent. */
function patternOf(value: number, float32: number, layout: Layout): number {
  const { exponentBits, fractionBits } = layout;
  const sign = (float32 >>> 31) * 2 ** (exponentBits + fractionBits);
  const infinity = (2 ** exponentBits - 1) * 2 ** fractionBits;
  if (Number.isNaN(value)) return sign + infinity + 2 ** (fractionBits - 1);
  const bias = biasOf(layout);
  const exponent = Math.max(((float32 >>> 23) & 0xff) - 127, 1 - bias);
  const significand = roundTiesToEven(Math.abs(value) * 2 ** (fractionBits - exponent));
  return sign + Math.min(infinity, (exponent + bias - 1) * 2 ** fractionBits + significand);
}

function roundTiesToEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
}
