/** @file Inputs of the cases: seeded, on the device, with a copy on the host for the reference. */
import { tensor, type Device, type Shape, type Tensor } from "../../engine/index.ts";

/** A tensor and what it holds. */
export interface Input {
  readonly tensor: Tensor;
  readonly values: Float32Array;
}

/**
 * Numbers in [-1, 1) that look random and are made fast: the fractional parts of multiples of the golden ratio, hashed once.
 * The same shape and seed give the same numbers.
 */
export function input(device: Device, shape: Shape, seed: number): Input {
  const size = shape.reduce((product, n) => product * n, 1);
  const values = new Float32Array(size);
  let state = (seed + 1) * 0x9e3779b9;
  for (let i = 0; i < size; i++) {
    // Xorshift by Marsaglia, 2003.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    values[i] = state / 2 ** 31;
  }
  return { tensor: tensor(values, { shape, device }), values };
}

/** The value at an index that is known to exist. */
export function at(values: ArrayLike<number>, index: number): number {
  return values[index] ?? NaN;
}
