/** @file Schedules against the values of fastai, and of its one-cycle policy. */
import { describe, expect, test } from "vitest";
import {
  combinedCos,
  combineScheds,
  schedCos,
  schedExp,
  schedLin,
  schedNo,
  schedPoly,
} from "../../nn/learner/index.ts";

describe("a schedule from 1 to 2", () => {
  test.each([
    ["linear", schedLin(1, 2), [1, 1.25, 1.5, 2]],
    ["cosine", schedCos(1, 2), [1, 1.1464466094067263, 1.5, 2]],
    ["constant", schedNo(1), [1, 1, 1, 1]],
    ["exponential", schedExp(1, 2), [1, 2 ** 0.25, 2 ** 0.5, 2]],
    ["polynomial", schedPoly(1, 2, 2), [1, 1.0625, 1.25, 2]],
  ] as const)("%s", (_, schedule, expected) => {
    const values = [0, 0.25, 0.5, 1].map(schedule);
    values.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i] ?? NaN, 12);
    });
  });
});

describe("combineScheds", () => {
  const combined = combineScheds([0.2, 0.3, 0.5], [schedLin(0, 1), schedNo(5), schedLin(7, 8)]);

  test("gives each schedule its part, from its beginning on", () => {
    const values = [0, 0.1, 0.2, 0.49, 0.5, 0.75, 1].map(combined);
    [0, 0.5, 5, 5, 7, 7.5, 8].forEach((expected, i) => {
      expect(values[i]).toBeCloseTo(expected, 12);
    });
  });

  test("refuses parts that are not a whole", () => {
    expect(() =>
      combineScheds([0.5, 0.6], [schedNo(1), schedNo(2)]),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: combineScheds: the parts do not make up a whole: [0.5, 0.6] for 2 schedules. Pass one fraction >= 0 for each schedule, together 1]`,
    );
    expect(() => combineScheds([1.5, -0.5], [schedNo(1), schedNo(2)])).toThrow(/parts/);
    expect(() => combineScheds([1], [schedNo(1), schedNo(2)])).toThrow(/2 schedules/);
  });

  test("takes parts of no length", () => {
    expect(combinedCos(0, 1, 2, 3)(0)).toBe(2);
    expect(combinedCos(1, 1, 2, 3)(0.999)).toBeCloseTo(2, 4);
  });
});

describe("fastai's one-cycle values", () => {
  test("fit_one_cycle(1, 1e-3) over 10 batches", () => {
    const lr = combinedCos(0.25, 1e-3 / 25, 1e-3, 1e-3 / 1e5);
    const expected = [
      4.0e-5, 3.716718e-4, 9.083282e-4, 9.890739e-4, 9.045095e-4, 7.500025e-4, 5.522687e-4,
      3.45498e-4, 1.65443e-4, 4.323684e-5,
    ];
    expected.forEach((value, i) => {
      expect(lr(i / 10) / value).toBeCloseTo(1, 6);
    });
  });

  // Head learning rate and momentum of both passes of fine_tune(1) over 92 batches.
  const pass1 = {
    lr: combinedCos(0.99, 2e-3 / 25, 2e-3, 2e-3 / 1e5),
    mom: combinedCos(0.99, 0.95, 0.85, 0.95),
  };
  const pass2 = {
    lr: combinedCos(0.3, 1e-3 / 5, 1e-3, 1e-3 / 1e5),
    mom: combinedCos(0.3, 0.95, 0.85, 0.95),
  };
  test.each([
    [0, 8.0e-5, 0.95, 2.0e-4, 0.95],
    [1, 8.057102e-5, 0.94997, 2.025885e-4, 0.949676],
    [23, 3.665841e-4, 0.935074, 9.464102e-4, 0.856699],
    [28, 4.939872e-4, 0.928438, 9.999048e-4, 0.85001],
    [46, 1.055231e-3, 0.899207, 8.117468e-4, 0.868826],
    [91, 1.999996e-3, 0.85, 6.04809e-7, 0.949941],
  ])("fine_tune(1), batch %d of 92", (batch, lr1, mom1, lr2, mom2) => {
    const position = batch / 92;
    expect(pass1.lr(position) / lr1).toBeCloseTo(1, 6);
    expect(pass1.mom(position)).toBeCloseTo(mom1, 6);
    expect(pass2.lr(position) / lr2).toBeCloseTo(1, 6);
    expect(pass2.mom(position)).toBeCloseTo(mom2, 6);
  });
});
