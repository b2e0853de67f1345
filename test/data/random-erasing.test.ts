/** @file RandomErasing: what is erased, with what, how often. */
import { describe, expect, test } from "vitest";
import { RandomErasing, Xoshiro128, type RandomErasingOptions } from "../../data/index.ts";
import { Generator, tensor, zeros, type Shape } from "../../engine/index.ts";
import { sizeOf } from "../../engine/shape.ts";
import { useDevice } from "../device.ts";
import { expectClose } from "../numeric.ts";

useDevice();

/** Pixels that noise never meets. */
const untouched = 100;

async function erased(
  shape: Shape,
  options: RandomErasingOptions,
  random = new Xoshiro128(1),
): Promise<number[]> {
  const x = tensor(new Float32Array(sizeOf(shape)).fill(untouched), { shape });
  const out = new RandomErasing(options).apply(x, random);
  expect(out.shape).toEqual(shape);
  return [...(await out.data())];
}

interface Box {
  readonly height: number;
  readonly width: number;
}

/** The box of each image of one channel; undefined where there is none. Fails where what is erased is no full rectangle. */
function boxesOf(
  values: readonly number[],
  [count = 0, height = 0, width = 0]: Shape,
): (Box | undefined)[] {
  return Array.from({ length: count }, (_, n) => {
    const places = Array.from({ length: height * width }, (_p, i) => i).filter(
      (i) => values[n * height * width + i] !== untouched,
    );
    if (places.length === 0) return undefined;
    const rows = places.map((i) => Math.floor(i / width));
    const columns = places.map((i) => i % width);
    const box = {
      height: 1 + Math.max(...rows) - Math.min(...rows),
      width: 1 + Math.max(...columns) - Math.min(...columns),
    };
    expect(places.length).toBe(box.height * box.width);
    return box;
  });
}

describe("RandomErasing", () => {
  test("fills with the normal numbers of a generator, by the place in the batch", async () => {
    for (const shape of [
      [3, 7, 7, 3],
      [2, 9, 9, 4],
      [1, 1, 1, 1],
    ] as const) {
      const values = await erased(shape, { p: 1, sl: 1, sh: 1, minAspect: 1 });
      const random = new Xoshiro128(1);
      // For each image a coin, the number of boxes, and area, aspect, row and column of the one that covers it.
      for (let i = 0; i < 6 * shape[0]; i++) random.nextUint32();
      const key = random.nextUint32() + 2 ** 32 * (random.nextUint32() >>> 11);
      // WGSL promises sin and cos to 2^-11.
      expectClose(values, normalNumbers(key, values.length), 4 * 2 ** -11, "noise");
    }
  });

  test("its noise has mean 0 and variance 1", async () => {
    const values = await erased([64, 32, 32, 3], { p: 1, sl: 1, sh: 1, minAspect: 1 });
    const count = values.length;
    const mean = values.reduce((sum, z) => sum + z, 0) / count;
    const square = values.reduce((sum, z) => sum + z * z, 0) / count;
    expect(Math.abs(mean)).toBeLessThan(6 / Math.sqrt(count));
    expect(Math.abs(square - 1)).toBeLessThan(6 * Math.sqrt(2 / count));
  });

  test("erases a rectangle in as many images as p says, within the area and the aspect", async () => {
    const shape = [600, 32, 32, 1] as const;
    const boxes = boxesOf(await erased(shape, { p: 0.5, sl: 0.1 }), shape);
    const found = boxes.filter((box) => box !== undefined);
    expect(Math.abs(found.length / 600 - 0.5)).toBeLessThan((6 * 0.5) / Math.sqrt(600));
    for (const { height, width } of found) {
      // Sides are rounded to whole pixels.
      expect((height + 0.5) * (width + 0.5)).toBeGreaterThanOrEqual(0.1 * 32 * 32);
      expect((height - 0.5) * (width - 0.5)).toBeLessThanOrEqual(0.3 * 32 * 32);
      expect((height + 0.5) / (width - 0.5)).toBeGreaterThanOrEqual(0.3);
      expect((height - 0.5) / (width + 0.5)).toBeLessThanOrEqual(1 / 0.3);
    }
  });

  test("several boxes share the area", async () => {
    const values = await erased([200, 20, 30, 3], { p: 1, sl: 0.3, sh: 0.3, maxCount: 4 });
    const share = values.filter((value) => value !== untouched).length / values.length;
    // Boxes overlap, and are cut off where they are longer than the image.
    expect(share).toBeGreaterThan(0.2);
    expect(share).toBeLessThan(0.31);
  });

  test("erases all channels of a pixel, and nothing else changes a bit", async () => {
    const values = await erased([50, 9, 7, 3], { p: 0.7, maxCount: 2 });
    for (let pixel = 0; pixel < values.length; pixel += 3) {
      const changed = values.slice(pixel, pixel + 3).filter((value) => value !== untouched).length;
      expect([0, 3]).toContain(changed);
    }
  });

  test("repeats itself for a seed", async () => {
    const run = (seed: number) => erased([4, 8, 8, 3], { p: 1, sl: 0.2 }, new Xoshiro128(seed));
    expect(await run(3)).toEqual(await run(3));
    expect(await run(3)).not.toEqual(await run(4));
  });

  test("gives x itself where no image is erased", () => {
    const x = zeros([4, 8, 8, 3]);
    expect(new RandomErasing({ p: 0 }).apply(x, new Xoshiro128(1))).toBe(x);
  });

  test("runs last, in training, with all its settings", () => {
    const { name, order, trainingOnly, settings } = new RandomErasing({ p: 1 });
    expect({ name, order, trainingOnly, settings }).toEqual({
      name: "RandomErasing",
      order: 100,
      trainingOnly: true,
      settings: { p: 1, sl: 0, sh: 0.3, minAspect: 0.3, maxCount: 1 },
    });
  });

  test.each<RandomErasingOptions>([
    { p: 2 },
    { sl: 0.5 },
    { sh: 1.5 },
    { minAspect: 0 },
    { maxCount: 0 },
  ])("refuses %j", (options) => {
    expect(() => new RandomErasing(options)).toThrowErrorMatchingSnapshot();
  });

  test("refuses what are no images", () => {
    expect(() =>
      new RandomErasing().apply(zeros([3, 3]), new Xoshiro128(1)),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: randomErasing: these are no images: [3, 3]. Pass [n, height, width, channels]]`,
    );
  });
});

/** By Box and Muller, as `randomNormal`. */
function normalNumbers(seed: number, count: number): number[] {
  const words = new Generator(seed).words(4 * Math.ceil(count / 4));
  return Array.from({ length: count }, (_, i) => {
    const even = i - (i % 2);
    const radius = Math.sqrt(-2 * Math.log((words[even] ?? 0) / 2 ** 32 + 2 ** -33));
    const angle = 2 * Math.PI * (((words[even + 1] ?? 0) >>> 8) / 2 ** 24 - 0.5);
    return radius * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
  });
}
