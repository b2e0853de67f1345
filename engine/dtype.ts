/**
 * @file Element types: their size, their typed arrays, and the conversion of half floats that JavaScript lacks.
 * Pure, no GPU.
 */
import { ArgumentError } from "./errors.ts";

/** f32 is the default; i32 and u32 hold labels, indices and masks; f16 is storage where the adapter has `shader-f16`. */
export type DType = "f32" | "f16" | "i32" | "u32";

/** What `Tensor.data()` gives: f16 is widened to f32 on the host, which holds every half exactly. */
export type HostData =
  Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>;

/** Bytes of one element on the device. */
export const bytesPerElement: Readonly<Record<DType, number>> = { f32: 4, f16: 2, i32: 4, u32: 4 };

/** True for the types that can carry a gradient. */
export function isFloat(dtype: DType): boolean {
  return dtype === "f32" || dtype === "f16";
}

/** Throws `ArgumentError` when an integer type cannot hold the value: 0.5 as i32, -1 as u32. */
export function checkElement(op: string, value: number, dtype: DType): void {
  if (isFloat(dtype)) return;
  const [low, high] = dtype === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new ArgumentError(
      op,
      `${dtype} cannot hold the value: ${value}`,
      `Use whole numbers from ${low} to ${high}, or f32`,
    );
  }
}

/** `checkElement` for many values. */
export function checkElements(op: string, values: ArrayLike<number>, dtype: DType): void {
  if (isFloat(dtype)) return;
  for (let i = 0, n = values.length; i < n; i++) checkElement(op, values[i] ?? NaN, dtype);
}

/** Converts numbers to the bytes that the device stores for `dtype`. Always a fresh copy. */
export function encodeHostData(values: ArrayLike<number>, dtype: DType): Uint8Array<ArrayBuffer> {
  const typed =
    dtype === "f32"
      ? Float32Array.from(values)
      : dtype === "i32"
        ? Int32Array.from(values)
        : dtype === "u32"
          ? Uint32Array.from(values)
          : Uint16Array.from(values, float32ToHalfBits);
  return new Uint8Array(typed.buffer);
}

/** Converts device bytes to numbers; `bytes` must start at the first element. */
export function decodeHostData(bytes: ArrayBuffer, count: number, dtype: DType): HostData {
  switch (dtype) {
    case "f32":
      return new Float32Array(bytes, 0, count);
    case "i32":
      return new Int32Array(bytes, 0, count);
    case "u32":
      return new Uint32Array(bytes, 0, count);
    case "f16":
      return Float32Array.from(new Uint16Array(bytes, 0, count), halfBitsToFloat32);
  }
}

const scratchFloat = new Float32Array(1);
const scratchBits = new Uint32Array(scratchFloat.buffer);

/** IEEE 754 binary32 to binary16, rounding to nearest even; overflow becomes infinity, NaN stays NaN. */
export function float32ToHalfBits(value: number): number {
  scratchFloat[0] = value;
  const bits = scratchBits[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude > 0x7f800000) return sign | 0x7e00;
  if (magnitude >= 0x47800000) return sign | 0x7c00;
  if (magnitude >= 0x38800000) return sign | roundShift(magnitude - 0x38000000, 13);
  if (magnitude < 0x33000000) return sign;
  const exponent = magnitude >>> 23;
  return sign | roundShift((magnitude & 0x7fffff) | 0x800000, 126 - exponent);
}

/** `value >> shift`, rounded to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const floor = value >>> shift;
  const rest = value & ((1 << shift) - 1);
  const half = 1 << (shift - 1);
  return rest > half || (rest === half && (floor & 1) === 1) ? floor + 1 : floor;
}

/** IEEE 754 binary16 to a number; exact. */
export function halfBitsToFloat32(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >>> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
