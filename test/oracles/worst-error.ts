/** @file Collects the worst error against an outside library and prints it when the file's tests are over. */
import { afterAll, expect } from "vitest";
import { worstError } from "../inputs.ts";
import { expectClose } from "../numeric.ts";

/** Compares and remembers; prints `library: worst relative error 1.2e-6 (conv2d ...), N comparisons` at the end. */
export function compareWith(
  library: string,
): (
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance?: number,
) => void {
  let comparisons = 0;
  let worst = { error: 0, what: "none" };
  afterAll(() => {
    const line = `${library}: worst error |a - b| / (1 + |b|) = ${worst.error.toExponential(1)} (${worst.what}), ${comparisons} comparisons`;
    process.stdout.write(`${line}\n`);
    expect(comparisons).toBeGreaterThan(0);
  });
  return (what, actual, expected, tolerance = 2e-5) => {
    comparisons++;
    const error = worstError(actual, expected);
    if (!(error <= worst.error)) worst = { error, what };
    expectClose(actual, expected, tolerance, `${library}, ${what}`);
  };
}
