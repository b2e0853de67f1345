/** @file Comparison of results, with a table around the first wrong element. */
import { expect } from "vitest";
import { errorOf } from "./inputs.ts";

/** Fails with an aligned table around the first element that is off by more than `tolerance`. */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
  what: string,
): void {
  expect(actual.length, `${what}: number of elements`).toBe(expected.length);
  for (let i = 0; i < expected.length; i++) {
    if (errorOf(actual[i] ?? NaN, expected[i] ?? NaN) > tolerance) {
      expect.fail(`${what}: off by more than ${tolerance}\n${tableAround(actual, expected, i)}`);
    }
  }
}

function tableAround(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  center: number,
): string {
  const rows = ["   element        actual      expected         error"];
  for (let i = Math.max(0, center - 3); i < Math.min(expected.length, center + 6); i++) {
    const numbers = [
      actual[i] ?? NaN,
      expected[i] ?? NaN,
      errorOf(actual[i] ?? NaN, expected[i] ?? NaN),
    ];
    rows.push(
      [String(i).padStart(10), ...numbers.map((v) => v.toPrecision(7).padStart(13))].join(" "),
    );
  }
  return rows.join("\n");
}
