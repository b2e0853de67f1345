/** @file Seeded inputs and the error measure of the tests. Free of Vitest, because the browser test runs it in a page. */
import { decodeHostData, encodeHostData, isFloat } from "../engine/dtype.ts";
import { hostTensor, type HostTensor } from "../engine/host-tensor.ts";
import type { InputSpec } from "../engine/op-case.ts";
import { sizeOf } from "../engine/shape.ts";

/** Mulberry32 by Tommy Ettinger: small, seeded, good enough for test inputs. Numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The values of an input as the device will hold them, rounded to its type, so that the reference sees the same. */
export function makeInput(spec: InputSpec, random: () => number): HostTensor {
  const { shape, dtype = "f32" } = spec;
  const values = spec.values ?? randomValues(spec, random);
  const size = sizeOf(shape);
  if (values.length !== size) throw new Error(`case: ${values.length} values for ${size} elements`);
  return hostTensor(shape, decodeHostData(encodeHostData(values, dtype).buffer, size, dtype));
}

function randomValues(spec: InputSpec, random: () => number): number[] {
  const { shape, dtype = "f32", range = isFloat(dtype) ? [-1.5, 1.5] : [0, 9], apart = 0 } = spec;
  const length = sizeOf(shape);
  const [low, high] = range;
  if (!isFloat(dtype)) {
    return Array.from({ length }, () => low + Math.floor(random() * (high - low + 1)));
  }
  if (apart > 0) return distinctValues(length, low, high, apart, random);
  return Array.from({ length }, () => low + random() * (high - low));
}

/** A shuffled arithmetic sequence: no two values are closer than `apart`. */
function distinctValues(
  size: number,
  low: number,
  high: number,
  apart: number,
  random: () => number,
): number[] {
  const step = Math.max(apart, (high - low) / Math.max(1, size));
  const values = Array.from({ length: size }, (_, i) => low + (i + 0.5) * step);
  for (let i = size - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [values[i], values[j]] = [values[j] ?? 0, values[i] ?? 0];
  }
  return values;
}

/** |actual - expected| / (1 + |expected|); 0 when both are NaN or the same infinity. */
export function errorOf(actual: number, expected: number): number {
  if (
    Object.is(actual, expected) ||
    (Number.isNaN(actual) && Number.isNaN(expected)) ||
    actual === expected
  )
    return 0;
  const error = Math.abs(actual - expected) / (1 + Math.abs(expected));
  return Number.isNaN(error) ? Infinity : error;
}

/** The largest error of all elements. */
export function worstError(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let worst = 0;
  for (let i = 0; i < expected.length; i++)
    worst = Math.max(worst, errorOf(actual[i] ?? NaN, expected[i] ?? NaN));
  return worst;
}
