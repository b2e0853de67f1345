/**
 * @file What the cases of pooling cannot see: images large enough that an invocation makes many
 * rows, where the gradient goes when maxima are equal, and what is kept for it.
 */
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import {
  avgPool2d,
  backward,
  globalMaxPool,
  maxPool2d,
  maxPool2dWithIndices,
  noGrad,
  openScope,
  tensor,
  type MaxPoolOptions,
  type Tensor,
} from "../../engine/index.ts";
import { poolWindow } from "../../engine/ops/pool-window.ts";
import { useDevice } from "../device.ts";
import { makeInput, seededRandom } from "../inputs.ts";
import { expectClose } from "../numeric.ts";

const device = useDevice();

/** A 3 x 3 image of one channel. */
const image = (values: readonly number[], size = 3): Tensor =>
  tensor([...values], { shape: [1, size, values.length / size, 1], requiresGrad: true });

/** The gradient of the sum of all maxima. */
async function gradientOf(x: Tensor, pool: (x: Tensor) => Tensor): Promise<number[]> {
  const out = pool(x);
  backward(out, { gradient: tensor(new Float32Array(out.size).fill(1), { shape: out.shape }) });
  return Array.from((await x.grad?.data()) ?? []);
}

const pooled = (options: MaxPoolOptions) => (x: Tensor) => maxPool2d(x, options);

describe("the gradient of a maximum", () => {
  test("goes to the first of equal elements", async () => {
    const x = image([5, 5, 5, 5, 5, 5, 5, 5, 5]);
    expect(await gradientOf(x, pooled({ kernelSize: 2, stride: 1 }))).toEqual([
      1, 1, 0, 1, 1, 0, 0, 0, 0,
    ]);
  });

  test("goes to the first element of the image where padding comes before it", async () => {
    const x = image([-Infinity, -Infinity, -Infinity, -Infinity], 2);
    const gradient = await gradientOf(x, pooled({ kernelSize: 2, stride: 1, padding: 1 }));
    expect(gradient).toEqual([4, 2, 2, 1]);
  });

  test("goes to NaN", async () => {
    const x = image([9, NaN, 7, 1, 2, 3, 8, 4, 5]);
    expect(await gradientOf(x, pooled({ kernelSize: 3 }))).toEqual([0, 1, 0, 0, 0, 0, 0, 0, 0]);
  });

  test("is 0 where windows hold nothing, and between windows", async () => {
    const empty = image([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const options = { kernelSize: 2, stride: 1, dilation: 4, padding: 1 };
    expect(await gradientOf(empty, pooled(options))).toEqual(new Array(9).fill(0));
    const gaps = image([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(await gradientOf(gaps, pooled({ kernelSize: 1, stride: 2 }))).toEqual([
      1, 0, 1, 0, 0, 0, 1, 0, 1,
    ]);
  });

  test("of a whole image goes to the first maximum, in one step and in two", async () => {
    for (const width of [7, 700]) {
      const values = Array.from({ length: 2 * width }, (_, i) => (i % 5 === 3 ? 6 : i % 3));
      const gradient = await gradientOf(image(values, 2), globalMaxPool);
      expect(gradient.indexOf(1)).toBe(3);
      expect(gradient.reduce((sum, value) => sum + value, 0)).toBe(1);
    }
  });

  test("comes with indices as well", async () => {
    const x = image([1, 2, 3, 4, 9, 6, 7, 8, 5]);
    const { out, indices } = maxPool2dWithIndices(x, { kernelSize: 2, stride: 1 });
    backward(out, { gradient: tensor([1, 2, 3, 4], { shape: out.shape }) });
    expect(Array.from(await indices.data())).toEqual([4, 4, 4, 4]);
    expect(Array.from((await x.grad?.data()) ?? [])).toEqual([0, 0, 0, 0, 10, 0, 0, 0, 0]);
  });
});

test("one byte an element of the result is kept for the gradient, and nothing without one", () => {
  using scope = openScope();
  const options = { shape: [4, 32, 32, 16], requiresGrad: true };
  const x = scope.keep(tensor(new Float32Array(4 * 32 * 32 * 16), options));
  const kept = (body: () => unknown): number => {
    const before = device().memory().liveBytes;
    body();
    return device().memory().liveBytes - before;
  };
  const size = 4 * 16 * 16 * 16;
  expect(kept(() => maxPool2d(x, { kernelSize: 2 }))).toBe(5 * size);
  expect(kept(() => noGrad(() => maxPool2d(x, { kernelSize: 2 })))).toBe(4 * size);
  expect(kept(() => noGrad(() => maxPool2dWithIndices(x, { kernelSize: 2 })))).toBe(8 * size);
});

/** The elements of `x` in the window of each element of the result. */
function windowsOf(x: Tensor, out: Tensor, options: MaxPoolOptions): number[][] {
  const [, height = 0, width = 0, channels = 0] = x.shape;
  const [, outHeight = 0, outWidth = 0] = out.shape;
  const { kernel, stride, padding } = poolWindow("reference", options);
  return Array.from({ length: out.size }, (_, index) => {
    const pixel = Math.floor(index / channels);
    const row = Math.floor(pixel / outWidth);
    const image = Math.floor(row / outHeight);
    const places: number[] = [];
    for (let r = 0; r < kernel[0]; r++) {
      const i = (row % outHeight) * stride[0] - padding[0] + r;
      for (let s = 0; s < kernel[1]; s++) {
        const j = (pixel % outWidth) * stride[1] - padding[1] + s;
        const inside = i >= 0 && j >= 0 && i < height && j < width;
        if (inside) places.push(((image * height + i) * width + j) * channels + (index % channels));
      }
    }
    return places;
  });
}

describe("images of many strips", () => {
  const adapter = (): { software: boolean } => device().adapter;
  let software = true;
  beforeAll(() => {
    ({ software } = adapter());
  });
  afterEach(() => {
    adapter().software = software;
  });

  const shape = [3, 47, 90, 64];
  const windows: MaxPoolOptions[] = [
    { kernelSize: 2 },
    { kernelSize: 3, stride: 2, padding: 1 },
    { kernelSize: 3, stride: 1, padding: 1 },
    { kernelSize: [4, 3], stride: [2, 3], padding: [2, 0] },
    { kernelSize: 5, stride: 2, padding: 2, ceilMode: true },
    { kernelSize: [1, 3], stride: [3, 2] },
    { kernelSize: [20, 30], stride: [20, 30] },
  ];
  const samples = windows.flatMap((options) => [true, false].map((as) => ({ options, as })));

  test.each(samples)("$options, on a software adapter: $as", async ({ options, as }) => {
    adapter().software = as;
    using _scope = openScope();
    const generator = seededRandom(1);
    const { data } = makeInput({ shape }, generator);
    const x = tensor(data, { shape, dtype: "f32", requiresGrad: true });
    const results = [maxPool2d(x, options), avgPool2d(x, { ...options, countIncludePad: false })];
    const places = windowsOf(x, results[0] ?? x, options);
    const slopes = makeInput({ shape: [places.length] }, generator).data;
    for (const [k, out] of results.entries()) {
      const isMaximum = k === 0;
      const gradient = new Float64Array(data.length);
      const expected = places.map((window, index) => {
        const values = window.map((place) => data[place] ?? NaN);
        const best = Math.max(...values);
        const winners = isMaximum ? [window[values.indexOf(best)] ?? 0] : window;
        for (const place of winners) {
          gradient[place] = (gradient[place] ?? 0) + (slopes[index] ?? 0) / winners.length;
        }
        return isMaximum ? best : values.reduce((sum, value) => sum + value, 0) / values.length;
      });
      backward(out, { gradient: tensor(slopes, { shape: out.shape, dtype: "f32" }) });
      const { grad } = x;
      expectClose(await out.data(), expected, 1e-5, `result ${k}`);
      expectClose((await grad?.data()) ?? [], gradient, 1e-5, `gradient ${k}`);
      x.grad = undefined;
    }
  });
});
