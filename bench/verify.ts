/** @file No time without a right result: a variant is compared with the float64 reference before it is timed. */
import { full, openScope, type Device } from "../engine/index.ts";
import type { Check, Prepared } from "./case.ts";

/** Thrown instead of timing a wrong kernel. */
export class WrongResultError extends Error {
  override readonly name = "WrongResultError";
}

/**
 * Runs once and compares.
 * @returns the largest error found.
 * @throws WrongResultError when it is above the tolerance.
 */
export async function verify(device: Device, what: string, prepared: Prepared): Promise<number> {
  using _scope = openScope();
  const { check } = prepared;
  const size = poison(device, prepared);
  const out = prepared.run();
  const actual = await out.data();
  let worst = 0;
  for (const index of indicesOf(size, check)) {
    const got = actual[index] ?? NaN;
    const want = check.expected(index);
    const error = Math.abs(got - want) / (1 + Math.abs(want));
    // A NaN is wrong too.
    if (!(error <= check.tolerance)) {
      throw new WrongResultError(
        `${what}: element ${index} is wrong: ${got} instead of ${want}. The kernel is not timed`,
      );
    }
    worst = Math.max(worst, error);
  }
  return worst;
}

/**
 * Leaves NaN in the memory that the next run will get, the same as this one, so that the result of another variant, left there, cannot
 * pass for its own.
 * @returns the number of elements of the result.
 */
function poison(device: Device, prepared: Prepared): number {
  using _scope = openScope();
  const out = prepared.run();
  if (out.dtype === "f32") out.assign(full(out.shape, NaN, { device }));
  return out.size;
}

/** Scattered, the same each time. The step has no small divisor, so that all rows and columns are met. */
function indicesOf(size: number, { samples = size }: Check): readonly number[] {
  if (samples >= size) return Array.from({ length: size }, (_, i) => i);
  const scattered = Array.from({ length: samples }, (_, i) => (i * 7_368_787) % size);
  return [0, size - 1, ...scattered];
}
