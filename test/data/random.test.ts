import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Xoshiro128 } from "../../data/index.ts";

const seeds = fc.maxSafeNat();

describe("Xoshiro128", () => {
  it("gives the numbers of the authors' C program (state 1, 2, 3, 4; version 1.1)", () => {
    const random = Xoshiro128.fromState([1, 2, 3, 4]);
    expect(Array.from({ length: 10 }, () => random.nextUint32())).toEqual([
      11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597,
      4258142804,
    ]);
  });

  it("gives the same numbers for a seed on every machine (checked by an independent Python program)", () => {
    const first = (seed: number, stream?: number) => new Xoshiro128(seed, stream).nextUint32();
    expect([first(0), first(42), first(42, 1), first(2 ** 53 - 1)]).toMatchInlineSnapshot(`
      [
        443589289,
        1552505907,
        4270423161,
        3557535788,
      ]
    `);
  });

  it("repeats itself for the same seed and stream, and not for others", () => {
    fc.assert(
      fc.property(seeds, fc.nat(), (seed, stream) => {
        const draw = (s: number, t: number) => [...new Xoshiro128(s, t).permutation(50)];
        expect(draw(seed, stream)).toEqual(draw(seed, stream));
        expect(draw(seed, stream)).not.toEqual(draw(seed, stream + 1));
      }),
    );
  });

  it("shuffles without losing or doubling anything", () => {
    fc.assert(
      fc.property(seeds, fc.nat({ max: 300 }), (seed, count) => {
        const sorted = [...new Xoshiro128(seed).permutation(count)].sort((a, b) => a - b);
        expect(sorted).toEqual(Array.from({ length: count }, (_, i) => i));
      }),
    );
  });

  it("gives each of the 24 orders of 4 things equally often (chi-squared, 23 degrees, p = 0.001)", () => {
    const random = new Xoshiro128(7);
    const counts = new Map<string, number>();
    const draws = 24_000;
    for (let i = 0; i < draws; i++) {
      const order = random.permutation(4).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    const expected = draws / 24;
    const chiSquared = [...counts.values()].reduce(
      (sum, n) => sum + (n - expected) ** 2 / expected,
      0,
    );
    expect(counts.size).toBe(24);
    expect(chiSquared).toBeLessThan(49.73);
  });

  it("stays below the count, and in [0, 1)", () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 2 ** 32 }), (seed, count) => {
        const random = new Xoshiro128(seed);
        const drawn = random.below(count);
        expect(Number.isInteger(drawn) && drawn >= 0 && drawn < count).toBe(true);
        const uniform = random.uniform();
        expect(uniform >= 0 && uniform < 1).toBe(true);
      }),
    );
  });

  it("refuses seeds and counts outside their range", () => {
    expect(() => new Xoshiro128(-1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Xoshiro128: the seed is not a whole number >= 0: -1. Use 0 to 2^53 - 1]`,
    );
    expect(() => new Xoshiro128(NaN)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Xoshiro128: the seed is not a whole number >= 0: NaN. Use 0 to 2^53 - 1]`,
    );
    expect(() => new Xoshiro128(1, 0.5)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Xoshiro128: the stream is not a whole number >= 0: 0.5. Use 0 to 2^53 - 1]`,
    );
    expect(() => new Xoshiro128(1).below(0)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Xoshiro128.below: the count is out of range: 0. Use 1 to 2^32]`,
    );
    expect(() => Xoshiro128.fromState([0, 0, 0, 2 ** 32])).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Xoshiro128.fromState: all words are zero. Pass at least one other word]`,
    );
  });
});
