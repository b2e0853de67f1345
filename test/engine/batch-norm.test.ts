/**
 * @file What the cases of batch normalisation cannot see: running statistics, dispatches, and the
 * way of a GPU.
 */
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  backward,
  batchNorm,
  openScope,
  tensor,
  UseAfterFreeError,
  type BatchNormOptions,
  type Tensor,
} from "../../engine/index.ts";
import { batchNormCase } from "../../engine/ops/batch-norm.case.ts";
import { useDevice } from "../device.ts";
import { makeInput, seededRandom } from "../inputs.ts";
import { expectClose } from "../numeric.ts";

const device = useDevice();

/** Numbers in `range`, rounded to f32. */
function random(
  size: number,
  seed: number,
  range: readonly [number, number] = [-1, 2],
): Float64Array {
  return makeInput({ shape: [size], range }, seededRandom(seed)).data;
}

/** Mean and unbiased variance of each channel. */
function momentsOf(x: Float64Array, channels: number): { mean: number[]; variance: number[] } {
  const mean: number[] = [];
  const variance: number[] = [];
  for (let c = 0; c < channels; c++) {
    const values = [...x.filter((_, i) => i % channels === c)];
    const center = values.reduce((sum, value) => sum + value, 0) / values.length;
    mean.push(center);
    variance.push(values.reduce((sum, v) => sum + (v - center) ** 2, 0) / (values.length - 1));
  }
  return { mean, variance };
}

describe("running statistics", () => {
  test.each([
    [[6, 5, 3, 4], 0.1],
    [[4, 40, 7, 5], 0.1],
    [[9, 3], 0.3],
    [[2, 700, 64], 1],
    [[3, 8], 0],
  ])("%j with momentum %d, three steps", async (shape, momentum) => {
    const channels = shape.at(-1) ?? 0;
    const size = shape.reduce((product, n) => product * n, 1);
    const runningMean = tensor(random(channels, 1));
    const runningVar = tensor(random(channels, 2, [0.5, 1.5]));
    const mean = Array.from(await runningMean.data());
    const variance = Array.from(await runningVar.data());
    for (let step = 0; step < 3; step++) {
      const x = random(size, 10 + step);
      const batch = momentsOf(x, channels);
      const options = { runningMean, runningVar, momentum, training: true };
      batchNorm(tensor(x, { shape, dtype: "f32" }), options);
      for (let c = 0; c < channels; c++) {
        mean[c] = (1 - momentum) * (mean[c] ?? 0) + momentum * (batch.mean[c] ?? 0);
        variance[c] = (1 - momentum) * (variance[c] ?? 0) + momentum * (batch.variance[c] ?? 0);
      }
    }
    expectClose(await runningMean.data(), mean, 1e-6, "running mean");
    expectClose(await runningVar.data(), variance, 1e-6, "running variance");
  });

  test("far from 0: mean 1000, deviation 0.1", async () => {
    const x = random(50_000 * 3, 3, [1000 - Math.sqrt(0.03), 1000 + Math.sqrt(0.03)]);
    const runningMean = tensor([0, 0, 0]);
    const runningVar = tensor([0, 0, 0]);
    const options = { runningMean, runningVar, momentum: 1, training: true };
    batchNorm(tensor(x, { shape: [50_000, 3], dtype: "f32" }), options);
    const expected = momentsOf(x, 3);
    expectClose(await runningMean.data(), expected.mean, 1e-7, "running mean");
    const relative = (await runningVar.data()).map((v, c) => v / (expected.variance[c] ?? NaN));
    expectClose(relative, [1, 1, 1], 1e-5, "running variance / variance");
  });

  test("an outlier in front costs no digits of the variance of the others", async () => {
    const x = random(40_000, 4);
    x[0] = 4000;
    const runningVar = tensor([0]);
    const options = { runningMean: tensor([0]), runningVar, momentum: 1, training: true };
    batchNorm(tensor(x, { shape: [40_000, 1], dtype: "f32" }), options);
    const relative = (await runningVar.item()) / (momentsOf(x, 1).variance[0] ?? NaN);
    expect(Math.abs(relative - 1)).toBeLessThan(1e-5);
  });

  test("evaluation and an empty batch leave them alone", async () => {
    const runningMean = tensor([1, 2, 3, 4]);
    const runningVar = tensor([1, 1, 2, 2]);
    const x = tensor(random(40, 5), { shape: [10, 4], dtype: "f32" });
    batchNorm(x, { runningMean, runningVar });
    batchNorm(tensor([], { shape: [0, 4] }), { runningMean, runningVar, training: true });
    expect(Array.from(await runningMean.data())).toEqual([1, 2, 3, 4]);
    expect(Array.from(await runningVar.data())).toEqual([1, 1, 2, 2]);
  });

  test("freed ones are refused", () => {
    const freed = tensor([0, 0]);
    freed.release();
    const options = { runningMean: freed, runningVar: tensor([1, 1]), training: true };
    const x = tensor([1, 2, 3, 5], { shape: [2, 2] });
    expect(() => batchNorm(x, options)).toThrow(UseAfterFreeError);
  });
});

interface Inputs {
  readonly x: Tensor;
  readonly options: BatchNormOptions & { readonly residual: Tensor };
}

function blockInputs(shape: readonly number[]): Inputs {
  const channels = shape.at(-1) ?? 0;
  const size = shape.reduce((product, n) => product * n, 1);
  const leaf = (count: number, seed: number, of: readonly number[]): Tensor =>
    tensor(random(count, seed), { shape: of, dtype: "f32", requiresGrad: true });
  const options = {
    weight: leaf(channels, 2, [channels]),
    bias: leaf(channels, 3, [channels]),
    residual: leaf(size, 4, shape),
    training: true,
    activation: "relu" as const,
  };
  return { x: leaf(size, 1, shape), options };
}

async function gradientOf(leaf: Tensor | undefined): Promise<number[]> {
  return Array.from((await leaf?.grad?.data()) ?? [NaN]);
}

test("few dispatches: three forward, three backward, two in evaluation", async () => {
  const { x, options } = blockInputs([8, 6, 6, 16]);
  const dispatches = async (body: () => void): Promise<number> => {
    await device().synchronize();
    const before = device().recorder.counts.dispatches;
    body();
    await device().synchronize();
    return device().recorder.counts.dispatches - before;
  };
  let y: Tensor | undefined;
  const running = {
    runningMean: tensor(new Float32Array(16)),
    runningVar: tensor(random(16, 9, [1, 2]), { dtype: "f32" }),
  };
  expect(await dispatches(() => (y = batchNorm(x, { ...options, ...running })))).toBe(3);
  const dy = tensor(random(x.size, 5), { shape: x.shape, dtype: "f32" });
  expect(
    await dispatches(() => {
      if (y !== undefined) backward(y, { gradient: dy });
    }),
  ).toBe(3);
  expect(await dispatches(() => batchNorm(x, { ...options, ...running, training: false }))).toBe(2);
});

test("the same bits every time", async () => {
  const run = async (): Promise<number[]> => {
    const { x, options } = blockInputs([5, 23, 19, 12]);
    backward(batchNorm(x, options), {
      gradient: tensor(random(x.size, 6), { shape: x.shape, dtype: "f32" }),
    });
    const leaves = [x, options.weight, options.bias, options.residual];
    return (await Promise.all(leaves.map(gradientOf))).flat();
  };
  expect(await run()).toEqual(await run());
});

describe("as on a GPU, where teams of 64 combine the slices", () => {
  const adapter = (): { software: boolean } => device().adapter;
  let software = true;
  beforeAll(() => {
    ({ software } = adapter());
  });
  afterEach(() => {
    adapter().software = software;
  });

  test.each([
    [2, 5, 3, 4],
    [40, 17, 9, 5],
    [33, 40, 40, 8],
    [700, 260],
  ])("[%i, %i, ...]", async (...shape) => {
    const channels = shape.at(-1) ?? 0;
    const specs = [{ shape }, { shape: [channels] }, { shape: [channels] }, { shape }];
    const generator = seededRandom(7);
    const hosts = specs.map((spec) => makeInput(spec, generator));
    const args = { roles: ["weight", "bias", "residual"], training: true, relu: true } as const;
    const results = async (asSoftware: boolean): Promise<number[][]> => {
      adapter().software = asSoftware;
      using scope = openScope();
      const leaves = hosts.map(({ shape: of, data }) =>
        tensor(data, { shape: of, dtype: "f32", requiresGrad: true }),
      );
      const y = batchNormCase.run(leaves, args);
      backward(y, { gradient: tensor(random(y.size, 8), { shape, dtype: "f32" }) });
      const reading = [y.data().then((data) => Array.from(data)), ...leaves.map(gradientOf)];
      scope[Symbol.dispose]();
      return await Promise.all(reading);
    };
    const [y = [], ...gradients] = await results(false);
    expectClose(y, batchNormCase.reference(hosts, args).data, 1e-5, "y");
    const [, ...expected] = await results(true);
    gradients.forEach((gradient, i) => {
      expectClose(gradient, expected[i] ?? [], 1e-5, `gradient ${i}`);
    });
  });
});
