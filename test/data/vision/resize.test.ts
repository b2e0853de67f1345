/** @file Resizing against PIL's rule in float64, and fastai's boxes by their formulas. */
import { basename } from "node:path";
import { describe, expect, it } from "vitest";
import {
  cropRgb,
  placeRgb,
  RandomResizedCrop,
  resampleRgb,
  Resize,
  Xoshiro128,
  type ItemTransform,
} from "../../../data/index.ts";
import { decodeImage, getImageFiles, imageFileLoader } from "../../../data/node.ts";
import { sharedData } from "../../shared-data.ts";
import { difference, noise, pngOf, sharpOf } from "./images.ts";
import { pilResize } from "./pil-reference.ts";

const validation = { training: false, random: new Xoshiro128(0) };
const training = (seed: number) => ({ training: true, random: new Xoshiro128(seed) });

describe("resampleRgb", () => {
  it.each([
    [10, 7, 10, 7],
    [10, 7, 5, 3],
    [10, 7, 23, 16],
    [1, 1, 4, 4],
    [64, 1, 3, 9],
    [200, 90, 17, 31],
    [37, 53, 1, 1],
  ])("makes of %i x %i pixels %i x %i as PIL's rule says", (width, height, toWidth, toHeight) => {
    const image = noise(width, height);
    const ours = resampleRgb(image, toHeight, toWidth);
    expect([ours.width, ours.height]).toEqual([toWidth, toHeight]);
    // Fixed point of 22 bits and float64 may round differently what lies near a half.
    const { largest, mean } = difference(ours.data, pilResize(image, toHeight, toWidth));
    expect(largest).toBeLessThanOrEqual(1);
    expect(mean).toBeLessThan(0.03);
  });
});

describe("what the loader does with files", () => {
  const load = imageFileLoader();

  it.each([
    ["shrinks by less than 4", 300, 200, 100],
    ["shrinks by more than 4", 900, 700, 60],
    ["shrinks by very much", 1500, 1300, 32],
  ])("%s within sharp, near PIL's rule even for noise", async (_, width, height, size) => {
    const image = noise(width, height);
    const transform = new Resize(size, { method: "squish" });
    const ours = await load(await pngOf(image), [transform], validation);
    const found = difference(ours.data, pilResize(image, size, size));
    console.log(`noise ${width} x ${height} to ${size}: ${JSON.stringify(found)}`);
    expect(found.mean).toBeLessThan(1.5);
  });

  it.each([
    ["enlarged", 50, 40],
    ["enlarged along one axis", 50, 400],
    ["of the same size", 64, 64],
  ])("is exactly PIL's rule for what is %s", async (_, width, height) => {
    const image = noise(width, height);
    const ours = await load(await pngOf(image), [new Resize(64, { method: "squish" })], validation);
    expect(difference(ours.data, pilResize(image, 64, 64)).largest).toBeLessThanOrEqual(1);
  });

  it.each(["squish", "pad", "crop"] as const)("pads and crops for %s", async (method) => {
    const image = noise(90, 50);
    const transform = new Resize([20, 30], { method });
    const exact = placeRgb(image, transform.place(image, validation));
    const ours = await load(await pngOf(image), [transform], validation);
    expect(difference(ours.data, exact.data).mean).toBeLessThan(1);
    expect([ours.width, ours.height]).toEqual([30, 20]);
  });

  it("carries out several transforms one after another", async () => {
    const image = noise(90, 50);
    const transforms = [new Resize(40), new Resize([20, 30], { method: "pad", padMode: "zeros" })];
    const ours = await load(await pngOf(image), transforms, validation);
    const exact = transforms.reduce((x, t) => placeRgb(x, t.place(x, validation)), image);
    expect(difference(ours.data, exact.data).mean).toBeLessThan(1);
  });

  const pets = sharedData("pets", "images");
  // Measured: the bounds are these and a little more, for other builds of libvips.
  it.skipIf(pets === undefined).each([
    ["crop", 64, { largest: 19, mean: 0.539, above2: 0.01143 }],
    ["crop", 128, { largest: 13, mean: 0.223, above2: 0.00124 }],
    ["crop", 224, { largest: 8, mean: 0.21, above2: 0.00028 }],
    ["squish", 64, { largest: 19, mean: 0.519, above2: 0.01457 }],
    ["squish", 128, { largest: 25, mean: 0.239, above2: 0.00238 }],
    ["squish", 224, { largest: 15, mean: 0.208, above2: 0.00065 }],
  ] as const)("is near PIL's rule over photos: %s to %i", async (method, size, measured) => {
    const files = (await getImageFiles(pets ?? "")).filter((_, i) => i % 12 === 0);
    const transform = new Resize(size, { method });
    let [largest, mean, above2, worst] = [0, 0, 0, ""];
    for (const file of files) {
      const whole = await decodeImage(file);
      const reference = placeRgb(whole, transform.place(whole, validation));
      const found = difference((await load(file, [transform], validation)).data, reference.data);
      if (found.largest > largest) [largest, worst] = [found.largest, basename(file)];
      mean += found.mean / files.length;
      above2 += found.above2 / files.length;
    }
    console.log(
      `${files.length} photos, ${method} to ${size}, against PIL's rule: largest difference ${largest} of 255 (${worst}), mean ${mean.toFixed(3)}, above 2 in ${(100 * above2).toFixed(3)} % of values`,
    );
    expect(largest).toBeLessThanOrEqual(measured.largest + 3);
    expect(mean).toBeLessThan(1.1 * measured.mean);
    expect(above2).toBeLessThan(1.2 * measured.above2);
  });

  it("is exactly PIL's rule where that is asked for", async () => {
    const image = noise(300, 200);
    const exact = imageFileLoader({ exactResize: true });
    const transform = new Resize(64);
    const { data } = await exact(await pngOf(image), [transform], validation);
    expect([...data]).toEqual([...placeRgb(image, transform.place(image, validation)).data]);
  });

  it("does with transparent pictures what it does with others", async () => {
    const { width, height, data } = noise(300, 200);
    const alpha = Uint8Array.from({ length: width * height }, (_, i) => (i * 7) % 256);
    const transparent = await sharpOf({ width, height, data })
      .joinChannel(Buffer.from(alpha), { raw: { width, height, channels: 1 } })
      .png()
      .toBuffer();
    const opaque = await pngOf({ width, height, data });
    const [a, b] = await Promise.all(
      [transparent, opaque].map((bytes) => load(bytes, [new Resize(64)], validation)),
    );
    expect([...(a?.data ?? [])]).toEqual([...(b?.data ?? [])]);
  });
});

describe("Resize", () => {
  const sides = { width: 500, height: 375 };

  it("crops by fastai's formulas", () => {
    // m = min(500 / 224, 375 / 224): a box of 375 x 375; int(0.5 125) = 62.
    const box = { left: 62, top: 0, width: 375, height: 375 };
    expect(new Resize(224).place(sides, validation)).toMatchObject({ box });
    // Proportions 2 to 1: m = min(500 / 100, 375 / 50) = 5, box 500 x 250, int(0.5 125) = 62.
    const wide = { left: 0, top: 62, width: 500, height: 250 };
    expect(new Resize([50, 100]).place(sides, validation)).toMatchObject({ box: wide });
  });

  it("pads by fastai's formulas, rounding towards 0", () => {
    const { box } = new Resize(224, { method: "pad" }).place(sides, validation);
    expect(box).toEqual({ left: 0, top: -62, width: 500, height: 500 });
  });

  it("moves in training along the axis that has room, and repeats for a seed", () => {
    const lefts = Array.from({ length: 50 }, (_, seed) => {
      const { box } = new Resize(224).place(sides, training(seed));
      expect(box).toMatchObject({ top: 0, width: 375, height: 375 });
      return box.left;
    });
    expect(Math.min(...lefts)).toBeLessThan(20);
    expect(Math.max(...lefts)).toBeGreaterThan(105);
    expect(Math.max(...lefts)).toBeLessThanOrEqual(125);
    expect(new Resize(224).place(sides, training(3)).box.left).toBe(lefts[3]);
  });

  it("keeps at least a pixel of the longest pictures", () => {
    const { box } = new Resize([4, 400]).place({ width: 20, height: 20_000 }, validation);
    expect(box).toEqual({ left: 0, top: 9999, width: 20, height: 1 });
  });

  it("mirrors, repeats or blackens what it pads", () => {
    const image = { width: 3, height: 1, data: Uint8Array.from([1, 1, 1, 2, 2, 2, 3, 3, 3]) };
    const row = (padMode: "zeros" | "border" | "reflection") =>
      [...cropRgb(image, { left: -3, top: 0, width: 9, height: 1 }, padMode).data].filter(
        (_, i) => i % 3 === 0,
      );
    expect(row("zeros")).toEqual([0, 0, 0, 1, 2, 3, 0, 0, 0]);
    expect(row("border")).toEqual([1, 1, 1, 1, 2, 3, 3, 3, 3]);
    expect(row("reflection")).toEqual([2, 3, 2, 1, 2, 3, 2, 1, 2]);
  });

  it("refuses sizes and methods that do not exist", () => {
    expect(() => new Resize(0)).toThrow("no whole number of pixels: 0 x 0");
    expect(() => new Resize([224, 1.5])).toThrow("224 x 1.5");
    const wrong: unknown = "stretch";
    expect(() => new Resize(8, { method: wrong as "crop" })).toThrow("there is no method stretch");
  });
});

describe("RandomResizedCrop", () => {
  it("takes boxes of the wanted areas and proportions in training", () => {
    const transform: ItemTransform = new RandomResizedCrop(224, { minScale: 0.35 });
    for (let seed = 0; seed < 200; seed++) {
      const { box } = transform.place({ width: 500, height: 375 }, training(seed));
      const area = (box.width * box.height) / (500 * 375);
      expect(area).toBeGreaterThan(0.34);
      expect(area).toBeLessThanOrEqual(1);
      expect(box.width / box.height).toBeGreaterThan(0.74);
      expect(box.width / box.height).toBeLessThan(1.35);
      expect(box.left + box.width).toBeLessThanOrEqual(500);
      expect(box.top + box.height).toBeLessThanOrEqual(375);
    }
  });

  it("takes the middle of 256 pixels for 224 in validation", () => {
    const placement = new RandomResizedCrop(224).place({ width: 500, height: 375 }, validation);
    expect(placement).toEqual({
      box: { left: 0, top: 0, width: 500, height: 375 },
      resized: { width: 256, height: 256 },
      centre: { width: 224, height: 224 },
    });
    const image = noise(500, 375);
    expect(placeRgb(image, placement)).toMatchObject({ width: 224, height: 224 });
  });

  it("takes the largest middle where no box fits", () => {
    const { box } = new RandomResizedCrop(8).place({ width: 1000, height: 3 }, training(1));
    expect(box).toEqual({ left: 498, top: 0, width: 4, height: 3 });
  });

  it("refuses what makes no sense", () => {
    expect(() => new RandomResizedCrop(8, { minScale: 0 })).toThrow("out of range");
    expect(() => new RandomResizedCrop(8, { ratio: [2, 1] })).toThrow("out of range");
  });
});
