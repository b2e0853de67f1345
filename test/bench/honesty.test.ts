/** @file What makes a benchmark honest: right results first, the clock's tick, spans of the same work, the shapes of the real net. */
import { describe, expect, test } from "vitest";
import { verify, WrongResultError } from "../../bench/verify.ts";
import { convolutionCases, resnet34Convolutions } from "../../bench/suites/convolution.ts";
import { elementwiseCases } from "../../bench/suites/elementwise.ts";
import { lossCases } from "../../bench/suites/loss.ts";
import { matmulCases } from "../../bench/suites/matmul.ts";
import { normCases } from "../../bench/suites/norm.ts";
import { poolCases } from "../../bench/suites/pool.ts";
import { reductionCases } from "../../bench/suites/reduction.ts";
import {
  add,
  backward,
  crossEntropy,
  openScope,
  randomNormal,
  relu,
  tensor,
  zeros,
} from "../../engine/index.ts";
import { describeGeometry } from "../../engine/ops/conv2d/launch.ts";
import { convolutionGeometry, type Geometry } from "../../engine/ops/conv2d-geometry.ts";
import { observeProblems } from "../../engine/ops/variants.ts";
import { Tensor } from "../../engine/tensor.ts";
import { clockTick } from "../../engine/timing/clock.ts";
import { measure, quantile } from "../../engine/timing/measure.ts";
import { resnet34 } from "../../nn/index.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

describe("verify", () => {
  const check = { expected: (i: number) => i, tolerance: 1e-6 };

  test("passes a right result and returns its error", async () => {
    const x = tensor([0, 1, 2, 3]);
    expect(await verify(device(), "copy", { run: () => relu(x), check })).toBe(0);
  });

  test("names the first wrong element", async () => {
    const x = tensor([0, 1, 7, 3]);
    const wrong = verify(device(), "copy 4", { run: () => relu(x), check });
    await expect(wrong).rejects.toThrow(WrongResultError);
    await expect(wrong).rejects.toThrow("copy 4: element 2 is wrong: 7 instead of 2");
  });

  test("does not take NaN, nor the result that another kernel left in memory", async () => {
    const run = (): Tensor => relu(tensor([0, NaN, 2, 3]));
    await expect(verify(device(), "x", { run, check })).rejects.toThrow("element 1 is wrong: NaN");
    const size = 4096;
    const same = { expected: () => 1, tolerance: 0 };
    const ones = tensor(new Float32Array(size).fill(1));
    await verify(device(), "ones", { run: () => relu(ones), check: same });
    // Writes nothing: what it returns is whatever was in its memory.
    const lazy = (): Tensor => Tensor.allocate("test", device(), [size], "f32");
    await expect(verify(device(), "lazy", { run: lazy, check: same })).rejects.toThrow(
      WrongResultError,
    );
  });
});

describe("measure", () => {
  test("finds the tick, and repeats until it is less than 1 % of the span", async () => {
    const tick = await clockTick(device());
    expect(tick).toBeGreaterThan(0);
    const [a, b] = [randomNormal([64, 64]), randomNormal([64, 64])];
    const { sum } = await measure(device(), { sum: () => void add(a, b) }, { budgetMs: 100 });
    expect(sum.dispatches).toBe(1);
    expect(sum.gpuMs).toBeGreaterThan(0);
    expect(sum.leastMs).toBeLessThanOrEqual(sum.gpuMs);
    expect(sum.rounds).toBeGreaterThanOrEqual(3);
    // No more than 900 fit into one submit.
    const spanNs = 1e6 * sum.gpuMs * sum.repetitions;
    expect(sum.repetitions === 900 || spanNs >= 0.99 * (tick / 0.01)).toBe(true);
  });

  test("refuses work that records nothing, or not the same each time", async () => {
    const nothing = measure(device(), { nothing: () => undefined });
    await expect(nothing).rejects.toThrow("measure: the body records nothing: 0 dispatches");
    const x = randomNormal([8]);
    let calls = 0;
    const growing = (): void => {
      calls++;
      for (let i = 0; i < calls; i++) relu(x);
    };
    await expect(measure(device(), { growing })).rejects.toThrow(
      "the number of dispatches changed",
    );
  });

  test("quantiles lie between the values", () => {
    expect(quantile([3, 1, 2], 0.5)).toBe(2);
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(quantile([1, 2, 3, 4, 5], 0.25)).toBe(2);
    expect(quantile([5], 0.75)).toBe(5);
  });
});

describe("cases", () => {
  test("the convolutions are those of ResNet-34", () => {
    const seen = new Set<string>();
    using _scope = openScope();
    const stop = observeProblems(({ name }, _tensors, problem) => {
      if (name === "conv2d") seen.add(describeGeometry(problem as unknown as Geometry));
    });
    try {
      backward(crossEntropy(resnet34().forward(zeros([8, 64, 64, 3])), tensor(new Int32Array(8))));
    } finally {
      stop();
    }
    const listed = resnet34Convolutions(64).map(({ x, w, options }) =>
      describeGeometry(convolutionGeometry("test", x, w, options)),
    );
    expect([...seen].sort()).toEqual([...listed].sort());
    expect(new Set(listed).size).toBe(11);
  });

  // The large ones are verified whenever the benchmark runs.
  const small = [
    ...matmulCases(),
    ...convolutionCases(),
    ...elementwiseCases(),
    ...reductionCases(),
    ...normCases(),
    ...poolCases(),
    ...lossCases(),
  ].filter(({ work }) => work.bytes < 4e6 && work.flops < 2e8);

  test.each(small.map((c) => [`${c.op} ${c.shape}`, c] as const))(
    "%s is right",
    async (name, c) => {
      using _scope = openScope();
      expect(await verify(device(), name, c.prepare(device()))).toBeLessThan(1e-3);
    },
  );
});
