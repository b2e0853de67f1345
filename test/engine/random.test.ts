/** @file Random numbers: known answers, the same bits from the same state, and the shape of the distributions for fixed seeds. */
import { describe, expect, test } from "vitest";
import {
  backward,
  dropout,
  Generator,
  manualSeed,
  mul,
  ones,
  randomInteger,
  randomNormal,
  randomPermutation,
  randomUniform,
  sum,
  type GeneratorState,
} from "../../engine/index.ts";
import { philox4x32, type Words4 } from "../../engine/philox.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

/** counter, key, words. Source: the file kat_vectors of the authors' library Random123. */
const knownAnswers: readonly (readonly [Words4, readonly [number, number], Words4])[] = [
  [
    [0, 0, 0, 0],
    [0, 0],
    [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
  ],
  [
    [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
  ],
  [
    [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
    [0xa4093822, 0x299f31d0],
    [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
  ],
];

async function words(count: number, generator: Generator): Promise<number[]> {
  return [...(await randomInteger([count], 0, 2 ** 32, { dtype: "u32", generator }).data())];
}

function resumed(state: GeneratorState): Generator {
  const generator = new Generator();
  generator.state = state;
  return generator;
}

describe("Philox4x32-10", () => {
  test.each(knownAnswers)("counter %j, key %j", (counter, key, answer) => {
    expect(philox4x32(counter, key)).toEqual(answer);
  });

  test("the device starts with the known answer for counter 0, key 0", async () => {
    expect(await words(4, new Generator(0))).toEqual(knownAnswers[0]?.[2]);
  });

  test.each([
    { seed: 0, counter: 0 },
    { seed: 42, counter: 7 },
    { seed: 0xffffffff, counter: 2 ** 32 - 3 },
    { seed: 2 ** 53 - 1, counter: 2 ** 40 - 2 },
    { seed: 123456789012345, counter: 2 ** 52 },
  ])("device and host agree from %j on", async (state) => {
    expect(await words(1023, resumed(state))).toEqual([...resumed(state).words(1023)]);
  });
});

describe("Generator", () => {
  test("counts the blocks of four words that it gave", () => {
    const generator = new Generator(5);
    randomUniform([9], { generator });
    expect(generator.state).toEqual({ seed: 5, counter: 3 });
    randomNormal([2, 2], { generator });
    expect(generator.state.counter).toBe(4);
    randomInteger([0], 0, 9, { generator });
    expect(generator.state.counter).toBe(4);
    generator.words(1);
    dropout(ones([5]), 0.5, { generator });
    expect(generator.state.counter).toBe(7);
    dropout(ones([5]), 0, { generator });
    expect(generator.state.counter).toBe(7);
  });

  test("goes on from a saved state", async () => {
    const generator = new Generator(9);
    randomNormal([100], { generator });
    const saved = JSON.stringify(generator.state);
    const first = await randomNormal([50], { generator }).data();
    const again = resumed(JSON.parse(saved) as GeneratorState);
    expect(await randomNormal([50], { generator: again }).data()).toEqual(first);
  });

  test("manualSeed starts the default generator over", async () => {
    manualSeed(3);
    const first = await randomUniform([20]).data();
    const second = await randomUniform([20]).data();
    expect(second).not.toEqual(first);
    manualSeed(3);
    expect(await randomUniform([20]).data()).toEqual(first);
  });

  test("refuses seeds that are no whole numbers", () => {
    expect(() => new Generator(-1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Generator: the seed is not a whole number from 0 to 2^53 - 1: -1. Use for example 42, or Date.now() for numbers that differ from run to run]`,
    );
    expect(() => manualSeed(0.5)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Generator: the seed is not a whole number from 0 to 2^53 - 1: 0.5. Use for example 42, or Date.now() for numbers that differ from run to run]`,
    );
    expect(() => resumed({ seed: 1, counter: NaN })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Generator: the counter is not a whole number from 0 to 2^53 - 1: NaN. Use for example 42, or Date.now() for numbers that differ from run to run]`,
    );
  });
});

/** Bounds of 6 standard errors: for these fixed seeds they hold or they do not, on every run alike. */
const count = 2 ** 18;
const standardErrors = 6;

function moments(values: Iterable<number>): number[] {
  const all = [...values];
  return [1, 2, 3, 4].map((power) => all.reduce((sum, z) => sum + z ** power, 0) / all.length);
}

/** Pearson's statistic for values in equally likely bins. */
function chiSquared(bins: readonly number[]): number {
  const expected = bins.reduce((sum, bin) => sum + bin, 0) / bins.length;
  return bins.reduce((sum, bin) => sum + (bin - expected) ** 2 / expected, 0);
}

function histogram(
  values: Iterable<number>,
  bins: number,
  binOf: (value: number) => number,
): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = binOf(value);
    counts[bin] = (counts[bin] ?? NaN) + 1;
  }
  return counts;
}

/** The statistic has mean n - 1 and variance 2 (n - 1) for n bins. */
function expectEven(bins: readonly number[]): void {
  const freedom = bins.length - 1;
  expect(Math.abs(chiSquared(bins) - freedom)).toBeLessThan(
    standardErrors * Math.sqrt(2 * freedom),
  );
}

describe("uniform numbers", () => {
  test("are 24 bits of a word each, so their bits are the same on every adapter", async () => {
    const values = await randomUniform([1001], { generator: new Generator(11) }).data();
    const expected = new Generator(11).words(1001);
    expect([...values]).toEqual([...expected].map((word) => (word >>> 8) / 2 ** 24));
  });

  test("around 0 they are rounded once", async () => {
    const max = Math.fround(0.3);
    const values = await randomUniform([1001], {
      min: -max,
      max,
      generator: new Generator(12),
    }).data();
    const expected = new Generator(12).words(1001);
    expect([...values]).toEqual(
      [...expected].map((word) => Math.fround(max * ((word >>> 8) / 2 ** 23 - 1))),
    );
  });

  test("fill their range evenly", async () => {
    const values = await randomUniform([count], { generator: new Generator(1) }).data();
    expectEven(histogram(values, 256, (value) => Math.floor(value * 256)));
  });

  test("neighbours are independent", async () => {
    const values = await randomUniform([count], { generator: new Generator(2) }).data();
    const pairs = Array.from(
      { length: count - 1 },
      (_, i) => [values[i] ?? 0, values[i + 1] ?? 0] as const,
    );
    const cells = new Array<number>(256).fill(0);
    for (const [a, b] of pairs) {
      const cell = Math.floor(a * 16) * 16 + Math.floor(b * 16);
      cells[cell] = (cells[cell] ?? NaN) + 1;
    }
    expectEven(cells);
  });

  test("stay in [min, max), also where a range is narrow beside its place", async () => {
    for (const [min, max] of [
      [-3, 5],
      [1000, 1000.0001220703125],
      [-1e-30, 1e-30],
      [-7, -6.5],
    ] as const) {
      const values = await randomUniform([10_000], {
        min,
        max,
        generator: new Generator(3),
      }).data();
      expect(values.every((value) => value >= min && value < max)).toBe(true);
    }
  });
});

describe("normal numbers", () => {
  test("have the moments of the distribution", async () => {
    const values = await randomNormal([count], { generator: new Generator(4) }).data();
    const expected = [0, 1, 0, 3];
    // Variances of z, z^2, z^3, z^4.
    const variances = [1, 2, 15, 96];
    moments(values).forEach((moment, k) => {
      const bound = standardErrors * Math.sqrt((variances[k] ?? NaN) / count);
      expect(Math.abs(moment - (expected[k] ?? NaN))).toBeLessThan(bound);
    });
  });

  test("are what Box and Muller make of the words", async () => {
    const values = await randomNormal([4000], {
      mean: 5,
      std: 2,
      generator: new Generator(5),
    }).data();
    const source = new Generator(5).words(4000);
    let worst = 0;
    for (let i = 0; i < 4000; i += 2) {
      const radius = Math.sqrt(-2 * Math.log((source[i] ?? 0) / 2 ** 32 + 2 ** -33));
      const angle = 2 * Math.PI * (((source[i + 1] ?? 0) >>> 8) / 2 ** 24 - 0.5);
      const pair = [5 + 2 * radius * Math.cos(angle), 5 + 2 * radius * Math.sin(angle)];
      pair.forEach(
        (expected, k) => (worst = Math.max(worst, Math.abs((values[i + k] ?? NaN) - expected))),
      );
    }
    // WGSL promises sin and cos to 2^-11, times a radius of at most 4.3 here, times std.
    expect(worst).toBeLessThan(4.3 * 2 * 2 ** -11);
  });

  test("are finite for every word", async () => {
    const values = await randomNormal([2 ** 20], { generator: new Generator(6) }).data();
    expect(values.every((value) => Math.abs(value) < 6.8)).toBe(true);
  });

  test("std 0 gives the mean", async () => {
    expect([...(await randomNormal([3], { mean: 7, std: 0 }).data())]).toEqual([7, 7, 7]);
  });
});

describe("whole numbers", () => {
  test("are the upper word of range times word, on every adapter", async () => {
    const values = await randomInteger([1001], -5, 7, { generator: new Generator(13) }).data();
    const expected = new Generator(13).words(1001);
    expect([...values]).toEqual(
      [...expected].map((word) => -5 + Math.floor((word * 12) / 2 ** 32)),
    );
  });

  test("are equally likely", async () => {
    const values = await randomInteger([count], 100, 110, { generator: new Generator(14) }).data();
    expectEven(histogram(values, 10, (value) => value - 100));
  });

  test("may span a whole type", async () => {
    const generator = new Generator(15);
    const values = await randomInteger([1000], -(2 ** 31), 2 ** 31, { generator }).data();
    expect([...values]).toEqual([...new Generator(15).words(1000)].map((word) => word - 2 ** 31));
  });
});

describe("permutations", () => {
  test.each([0, 1, 2, 1000])("of %d numbers hold each once", (length) => {
    const order = randomPermutation(length, { generator: new Generator(16) });
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, i) => i));
  });

  test("all orders of three are equally likely", () => {
    const generator = new Generator(17);
    const orders = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = randomPermutation(3, { generator }).join("");
      orders.set(order, (orders.get(order) ?? 0) + 1);
    }
    expect(orders.size).toBe(6);
    expectEven([...orders.values()]);
  });
});

describe("dropout", () => {
  test.each([0.1, 0.5, 0.9])("drops %d of the elements and keeps the mean", async (p) => {
    const values = await dropout(ones([count]), p, { generator: new Generator(18) }).data();
    const dropped = values.filter((value) => value === 0).length / count;
    expect(Math.abs(dropped - p)).toBeLessThan(standardErrors * Math.sqrt((p * (1 - p)) / count));
    const scale = Math.fround(1 / (1 - p));
    expect(values.every((value) => value === 0 || Math.abs(value - scale) < 1e-6 * scale)).toBe(
      true,
    );
  });

  test("the gradient takes the mask of the forward pass, whatever was drawn in between", async () => {
    const generator = new Generator(19);
    const x = ones([1001], { requiresGrad: true });
    const y = dropout(x, 0.5, { generator });
    const forward = await y.data();
    randomUniform([64], { generator });
    manualSeed(77);
    backward(sum(mul(y, 3)));
    const gradient = (await x.grad?.data()) ?? [];
    expect([...gradient]).toEqual([...forward].map((value) => 3 * value));
  });
});

test("a tensor of more than 65,535 workgroups goes on where one row of the grid ends", async ({
  skip,
}) => {
  const blocks = 65535 * 64 + 2;
  const limit = device().limits.maxStorageBufferBindingSize;
  skip(16 * blocks > limit, `the adapter binds at most ${limit} bytes`);
  const values = await randomUniform([4 * blocks], { generator: new Generator(20) }).data();
  const tail = resumed({ seed: 20, counter: blocks - 2 }).words(8);
  expect([...values.slice(-8)]).toEqual([...tail].map((word) => (word >>> 8) / 2 ** 24));
});

describe("wrong calls", () => {
  test.each([
    ["bounds in the wrong order", () => randomUniform([2], { min: 1, max: 0 })],
    ["infinite bounds", () => randomUniform([2], { max: Infinity })],
    ["a negative deviation", () => randomNormal([2], { std: -1 })],
    ["a mean that is no number", () => randomNormal([2], { mean: NaN })],
    ["an empty range", () => randomInteger([2], 3, 3)],
    ["bounds beyond the type", () => randomInteger([2], -1, 3, { dtype: "u32" })],
    ["fractions", () => randomInteger([2], 0, 1.5)],
    ["a negative size", () => randomUniform([-2])],
    ["gradients of whole numbers", () => randomInteger([2], 0, 3, { requiresGrad: true })],
  ])("%s", (_what, run) => {
    expect(run).toThrowErrorMatchingSnapshot();
  });
});
