/** @file Initial values: distributions against their formulas, reproducibility, wrong calls. */
import { describe, expect, test } from "vitest";
import { Generator, manualSeed, zeros, type Tensor } from "../../engine/index.ts";
import {
  calculateFans,
  calculateGain,
  constant,
  kaimingNormal,
  kaimingUniform,
  Linear,
  normal,
  torchDefaultInit,
  truncatedNormal,
  uniform,
  xavierNormal,
  xavierUniform,
  type TruncatedNormalOptions,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";

useDevice();

/** Enough elements for the standard deviation to be known to half a percent. */
const convShape = [3, 3, 64, 128];
const linearShape = [256, 300];

interface Moments {
  readonly mean: number;
  readonly std: number;
  readonly min: number;
  readonly max: number;
}

async function momentsOf(t: Tensor): Promise<Moments> {
  const values = Float64Array.from(await t.data());
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
  return {
    mean,
    std: Math.sqrt(variance),
    min: values.reduce((a, b) => Math.min(a, b)),
    max: values.reduce((a, b) => Math.max(a, b)),
  };
}

/** A normal distribution of this deviation: its tails reach beyond three of them, unlike those of a uniform one. */
async function expectNormal(t: Tensor, std: number): Promise<void> {
  const moments = await momentsOf(t);
  expect(Math.abs(moments.mean)).toBeLessThan(0.02 * std);
  expect(moments.std / std).toBeCloseTo(1, 1.7);
  expect(moments.max).toBeGreaterThan(3 * std);
  expect(moments.min).toBeLessThan(-3 * std);
}

/** A uniform distribution within these bounds: the deviation is `bound / sqrt(3)`, and the bounds are nearly reached. */
async function expectUniform(t: Tensor, bound: number): Promise<void> {
  const moments = await momentsOf(t);
  expect(Math.abs(moments.mean)).toBeLessThan(0.02 * bound);
  expect((moments.std * Math.sqrt(3)) / bound).toBeCloseTo(1, 1.7);
  expect(moments.max).toBeLessThanOrEqual(bound);
  expect(moments.max).toBeGreaterThan(0.99 * bound);
  expect(moments.min).toBeGreaterThanOrEqual(-bound);
  expect(moments.min).toBeLessThan(-0.99 * bound);
}

describe("fans and gains", () => {
  test("of Linear and Conv2d", () => {
    expect(calculateFans([10, 20])).toEqual({ fanIn: 20, fanOut: 10 });
    expect(calculateFans([3, 5, 16, 32])).toEqual({ fanIn: 240, fanOut: 480 });
    expect(() => calculateFans([7])).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: calculateFans: the weight is neither of a Linear nor of a Conv2d: [7]. Pass [out, in] or [height, width, in, out]; set biases by constant or uniform]`,
    );
  });

  test("are those of PyTorch", () => {
    const gains = (["linear", "sigmoid", "tanh", "relu", "leakyRelu", "selu"] as const).map(
      (name) => calculateGain(name),
    );
    expect(gains).toEqual([1, 1, 5 / 3, Math.SQRT2, Math.sqrt(2 / 1.0001), 0.75]);
    expect(calculateGain("leakyRelu", Math.sqrt(5))).toBeCloseTo(Math.sqrt(1 / 3), 12);
  });
});

describe("distributions", () => {
  test("kaimingNormal by fan in and by fan out", async () => {
    const weight = zeros(convShape);
    kaimingNormal(weight);
    await expectNormal(weight, Math.sqrt(2 / (9 * 64)));
    kaimingNormal(weight, { mode: "fanOut", nonlinearity: "relu" });
    await expectNormal(weight, Math.sqrt(2 / (9 * 128)));
    kaimingNormal(weight, { nonlinearity: "tanh" });
    await expectNormal(weight, 5 / 3 / Math.sqrt(9 * 64));
  });

  test("kaimingUniform", async () => {
    const weight = zeros(linearShape);
    kaimingUniform(weight, { nonlinearity: "relu" });
    await expectUniform(weight, Math.sqrt(6 / 300));
  });

  test("xavierNormal and xavierUniform", async () => {
    const weight = zeros(linearShape);
    xavierNormal(weight);
    await expectNormal(weight, Math.sqrt(2 / 556));
    xavierUniform(weight, { gain: 2 });
    await expectUniform(weight, 2 * Math.sqrt(6 / 556));
  });

  test("PyTorch's default: weight and bias within 1 / sqrt(fanIn)", async () => {
    const weight = zeros(convShape);
    const bias = zeros([5000]);
    torchDefaultInit(weight, bias);
    await expectUniform(weight, 1 / Math.sqrt(9 * 64));
    await expectUniform(bias, 1 / Math.sqrt(9 * 64));
  });

  test("uniform, normal and constant", async () => {
    const t = zeros([50_000]);
    uniform(t, -2, 2);
    await expectUniform(t, 2);
    normal(t, 0, 3);
    await expectNormal(t, 3);
    constant(t, 1.5);
    expect(await momentsOf(t)).toEqual({ mean: 1.5, std: 0, min: 1.5, max: 1.5 });
    constant(t, 0);
    expect(await momentsOf(t)).toEqual({ mean: 0, std: 0, min: 0, max: 0 });
  });

  test("a weight without inputs or a gain of 0 is no error", async () => {
    kaimingUniform(zeros([4, 0]));
    const weight = zeros([4, 4]);
    xavierUniform(weight, { gain: 0 });
    expect((await momentsOf(weight)).max).toBe(0);
  });
});

describe("truncatedNormal", () => {
  // Deviation of N(0, 1) cut at +-2: sqrt(1 - 2 * 2 * phi(2) / (Phi(2) - Phi(-2))).
  test.each<[TruncatedNormalOptions, number, number]>([
    [{ std: 1 }, 0, 0.8796],
    [{ std: 0.02 }, 0, 0.02],
    [{ std: 2, mean: 1, min: -3, max: 5 }, 1, 2 * 0.8796],
    // One-sided: N(0, 1) above 1 has mean phi(1) / (1 - Phi(1)) and variance 1 + 1 * mean - mean^2.
    [{ min: 1, max: Infinity }, 1.5251, 0.4463],
    [{ min: -Infinity, max: Infinity }, 0, 1],
  ])("%j", async (options, mean, std) => {
    const t = zeros([60_000]);
    truncatedNormal(t, { generator: new Generator(5), ...options });
    const moments = await momentsOf(t);
    expect(Math.abs(moments.mean - mean)).toBeLessThan(0.02 * std);
    expect(moments.std / std).toBeCloseTo(1, 1.7);
    expect(moments.min).toBeGreaterThanOrEqual(options.min ?? -2);
    expect(moments.max).toBeLessThanOrEqual(options.max ?? 2);
  });

  test("refuses what is no distribution", () => {
    expect(() => {
      truncatedNormal(zeros([2]), { min: 2, max: 1 });
    }).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: truncatedNormal: no truncated normal distribution: mean 0, std 1, from 2 to 1. Use finite numbers, std above 0 and min below max]`,
    );
  });
});

describe("reproducibility", () => {
  test("the same seed builds the same layer; the next layer differs", async () => {
    const build = async () => [
      ...(await new Linear({ inFeatures: 8, outFeatures: 8 }).weight.data()),
    ];
    manualSeed(42);
    const first = await build();
    const second = await build();
    manualSeed(42);
    expect(await build()).toEqual(first);
    expect(second).not.toEqual(first);
  });

  test("a generator of one's own leaves the default one alone", async () => {
    const options = { inFeatures: 4, outFeatures: 4 };
    const build = (generator?: Generator) => new Linear({ ...options, generator }).weight.data();
    manualSeed(1);
    const plain = [...(await build())];
    manualSeed(1);
    const own = [...(await build(new Generator(7)))];
    expect([...(await build())]).toEqual(plain);
    expect([...(await build(new Generator(7)))]).toEqual(own);
  });
});
