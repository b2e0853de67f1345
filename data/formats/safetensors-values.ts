/** @file Numbers of safetensors entries: every element type to float32, and float32 to the three types of weights. */
import type { SafetensorsEntry } from "./safetensors.ts";
import { decodeSmallFloats, encodeSmallFloats } from "./small-floats.ts";

/**
 * The elements as float32, always a fresh array. Exact for F32, F16, BF16, F8_*, BOOL and integers up to 2^24; the other
 * values of F64 and integers are rounded to nearest.
 */
export function float32Values(entry: SafetensorsEntry): Float32Array<ArrayBuffer> {
  switch (entry.dtype) {
    case "U64":
    case "I64":
      return Float32Array.from(entry.data, Number);
    case "F16":
    case "BF16":
    case "F8_E4M3":
    case "F8_E5M2":
      return decodeSmallFloats(entry.dtype, entry.data);
    case "F8_E8M0":
      return Float32Array.from(entry.data, e8m0ToNumber);
    case "F64":
    case "F32":
    case "U32":
    case "I32":
    case "U16":
    case "I16":
    case "I8":
    case "U8":
    case "BOOL":
      return new Float32Array(entry.data);
  }
}

/** Element types in which weights are stored. */
export type WeightDType = "F32" | "F16" | "BF16";

/**
 * An entry to write, from numbers; F16 and BF16 round to nearest, ties to even, and overflow to infinity.
 * The data are copied. `encodeSafetensors` checks that they fill the shape.
 */
export function weightEntry(
  dtype: WeightDType,
  shape: readonly number[],
  values: ArrayLike<number>,
): SafetensorsEntry {
  return dtype === "F32"
    ? { dtype, shape, data: Float32Array.from(values) }
    : { dtype, shape, data: encodeSmallFloats(dtype, values) };
}

/** A power of two: bias 127, no sign, no fraction. Source: OCP Microscaling Formats (MX) 1.0, section 5.4.1. */
function e8m0ToNumber(bits: number): number {
  return bits === 0xff ? NaN : 2 ** (bits - 127);
}
