/** @file `augTransforms`: sampling against a float64 reference, exact cases, the dice, and what a loader sees of it. */
import { describe, expect, test } from "vitest";
import {
  augTransforms,
  Xoshiro128,
  type AugTransformsOptions,
  type BatchTransform,
} from "../../data/index.ts";
import {
  compose,
  dihedral,
  forAspect,
  fromUnit,
  identity,
  normalized,
  rotation,
  toUnit,
  warping,
  zooming,
  type ImageSize,
  type Matrix3,
} from "../../data/augment/homography.ts";
import {
  drawView,
  noDraws,
  viewOf,
  type Draws,
  type ViewRanges,
} from "../../data/augment/random-views.ts";
import { sampleImages, type SampleOptions, type View } from "../../data/augment/sample-images.ts";
import type { PadMode } from "../../data/vision/rgb-image.ts";
import { hostTensor, type HostTensor } from "../../engine/host-tensor.ts";
import { tensor, zeros, type Shape, type Tensor } from "../../engine/index.ts";
import { sizeOf } from "../../engine/shape.ts";
import { useDevice } from "../device.ts";
import { seededRandom, worstError } from "../inputs.ts";
import { expectClose } from "../numeric.ts";
import { sampleReference } from "./sample-reference.ts";

useDevice();

/** Noise from 0 to 1, the hardest image for an interpolation. */
function noise(shape: Shape, seed = 1): HostTensor {
  const random = seededRandom(seed);
  return hostTensor(
    shape,
    Float32Array.from({ length: sizeOf(shape) }, () => random()),
  );
}

function onDevice({ shape, data }: HostTensor): Tensor {
  return tensor(data, { shape });
}

const padModes: readonly PadMode[] = ["reflection", "border", "zeros"];

function sampleOptions(size: ImageSize, options: Partial<SampleOptions> = {}): SampleOptions {
  return { size, mode: "bilinear", padMode: "reflection", alignCorners: true, ...options };
}

/** Everything at once, so strong that much of what is seen lies outside of the image. */
const strong: ViewRanges = {
  ...{ doFlip: true, flipVert: true, maxRotate: 60, minZoom: 0.6, maxZoom: 1.5 },
  ...{ maxLighting: 0.4, maxSaturation: 0, maxWarp: 0.25, pAffine: 1, pLighting: 0.5, minScale: 1 },
};

const usual: ViewRanges = {
  ...{ doFlip: true, flipVert: false, maxRotate: 10, minZoom: 1, maxZoom: 1.1 },
  ...{
    maxLighting: 0.2,
    maxSaturation: 0,
    maxWarp: 0.2,
    pAffine: 0.75,
    pLighting: 0.75,
    minScale: 1,
  },
};

function randomViews(
  ranges: ViewRanges,
  [count = 0, height = 0, width = 0]: Shape,
  options: SampleOptions,
): View[] {
  const random = new Xoshiro128(5);
  const size: ImageSize = [height, width];
  return Array.from({ length: count }, () =>
    viewOf(drawView(ranges, size, random), size, options.size, options.alignCorners),
  );
}

async function compareWithReference(
  shape: Shape,
  ranges: ViewRanges,
  options: SampleOptions,
): Promise<void> {
  const x = noise(shape);
  const views = randomViews(ranges, shape, options);
  const out = sampleImages(onDevice(x), views, options);
  const expected = sampleReference(x, views, options);
  expect(out.shape).toEqual(expected.shape);
  // Places are wrong by some 1e-5 pixels in f32, and noise is as steep as an image can be.
  expectClose(await out.data(), expected.data, 2e-5, JSON.stringify({ shape, options }));
}

describe("sampling is what the definition says", () => {
  const shapes: readonly Shape[] = [
    [3, 1, 1, 3],
    [3, 1, 7, 3],
    [3, 6, 1, 1],
    [4, 13, 9, 1],
    [4, 8, 17, 3],
    [4, 11, 11, 4],
    [2, 7, 5, 5],
    [2, 5, 6, 6],
    [0, 4, 4, 3],
  ];
  const cases = padModes.flatMap((padMode) =>
    [true, false].map((alignCorners) => ({ padMode, alignCorners })),
  );
  test.each(cases)("$padMode, aligned corners: $alignCorners", async (options) => {
    for (const shape of shapes) {
      const [, height = 0, width = 0] = shape;
      await compareWithReference(shape, strong, sampleOptions([height, width], options));
    }
  });

  test.each([
    ["enlarged", [9, 14]],
    ["a little smaller", [5, 4]],
    ["4 and 3 times smaller", [2, 4]],
    ["to one pixel", [1, 1]],
  ] as const)("%s", async (_what, size) => {
    for (const alignCorners of [true, false]) {
      await compareWithReference([3, 8, 12, 3], strong, sampleOptions(size, { alignCorners }));
    }
  });

  test("cropped to a random square", async () => {
    await compareWithReference([6, 20, 30, 3], { ...usual, minScale: 0.3 }, sampleOptions([8, 8]));
    await compareWithReference([6, 9, 90, 3], { ...usual, minScale: 0.9 }, sampleOptions([8, 8]));
  });

  test("the nearest pixel", async () => {
    for (const padMode of padModes) {
      const options = sampleOptions([15, 10], { mode: "nearest", padMode });
      await compareWithReference([3, 12, 13, 3], strong, options);
    }
  });

  test("lighting alone changes no place", async () => {
    const options = sampleOptions([6, 7]);
    const lit = { ...usual, doFlip: false, pAffine: 0, maxLighting: 0.9, pLighting: 1 };
    await compareWithReference([8, 6, 7, 3], lit, options);
  });

  test("more and less colour, in another light and in none", async () => {
    const options = sampleOptions([6, 7]);
    for (const maxLighting of [0.3, 0]) {
      const lit = { ...usual, maxLighting, maxSaturation: 0.8, pLighting: 0.75 };
      await compareWithReference([12, 6, 7, 3], lit, options);
    }
  });

  test("black and white stay what they are in another light", async () => {
    const views: View[] = [{ matrix: identity, brightness: 0.4, contrast: 1.25, saturation: 1 }];
    const x = tensor([0, 1, 0.5], { shape: [1, 1, 3, 1] });
    const values = await sampleImages(x, views, sampleOptions([1, 3])).data();
    expectClose(values, [0, 1, 1 / (1 + Math.exp(-0.5))], 1e-6, "lighting");
  });
});

/** x through one view for all of its images. */
async function through(
  x: HostTensor,
  draws: Partial<Draws>,
  options: Partial<SampleOptions> = {},
): Promise<Float32Array> {
  const [count = 0, height = 0, width = 0] = x.shape;
  const all = sampleOptions([height, width], options);
  const view = viewOf({ ...noDraws, ...draws }, [height, width], all.size, all.alignCorners);
  return Float32Array.from(
    await sampleImages(onDevice(x), new Array<View>(count).fill(view), all).data(),
  );
}

/** `out[n, i, j, c] = x[n, ...source(i, j), c]` */
function permuted(
  { shape, data }: HostTensor,
  source: (i: number, j: number) => [number, number],
): Float32Array {
  const [count = 0, height = 0, width = 0, channels = 0] = shape;
  return Float32Array.from({ length: data.length }, (_, at) => {
    const [c, pixel] = [at % channels, Math.floor(at / channels)];
    const [j, line] = [pixel % width, Math.floor(pixel / width)];
    const [row, column] = source(line % height, j);
    const n = Math.floor(line / height) % count;
    return data[((n * height + row) * width + column) * channels + c] ?? NaN;
  });
}

describe("bit for bit", () => {
  const exactOptions = padModes.flatMap((padMode) =>
    ([true, false] as const).flatMap((alignCorners) =>
      (["bilinear", "nearest"] as const).map((mode) => ({ padMode, alignCorners, mode })),
    ),
  );

  test.each([
    [[1, 1, 1, 1]],
    [[2, 1, 9, 3]],
    [[2, 9, 1, 4]],
    [[2, 11, 7, 3]],
    [[1, 33, 64, 5]],
    [[1, 224, 224, 3]],
  ] as const)("the identity gives x back: %j", async (shape) => {
    const x = noise(shape);
    for (const options of exactOptions) {
      const same = worstError(await through(x, {}, options), x.data);
      expect(same, JSON.stringify(options)).toBe(0);
    }
  });

  test.each<[number, (i: number, j: number) => [number, number]]>([
    [1, (i, j) => [i, 6 - j]],
    [2, (i, j) => [10 - i, j]],
    [3, (i, j) => [10 - i, 6 - j]],
  ])("flip %i moves pixels, and twice gives x back", async (symmetry, source) => {
    const x = noise([2, 11, 7, 3]);
    for (const options of exactOptions) {
      const once = await through(x, { symmetry }, options);
      expect(once).toEqual(permuted(x, source));
      const twice = await through(hostTensor(x.shape, once), { symmetry }, options);
      expect(twice).toEqual(Float32Array.from(x.data));
    }
  });

  const last = 8;
  test.each<[string, Partial<Draws>, (i: number, j: number) => [number, number]]>([
    ["transposed", { symmetry: 4 }, (i, j) => [j, i]],
    ["symmetry 5", { symmetry: 5 }, (i, j) => [j, last - i]],
    ["symmetry 6", { symmetry: 6 }, (i, j) => [last - j, i]],
    ["symmetry 7", { symmetry: 7 }, (i, j) => [last - j, last - i]],
    ["90 degrees", { degrees: 90 }, (i, j) => [last - j, i]],
    ["-90 degrees", { degrees: -90 }, (i, j) => [j, last - i]],
    ["180 degrees", { degrees: 180 }, (i, j) => [last - i, last - j]],
  ])("right angles move the pixels of a square: %s", async (_what, draws, source) => {
    const x = noise([2, last + 1, last + 1, 3]);
    for (const alignCorners of [true, false]) {
      expect(await through(x, draws, { alignCorners })).toEqual(permuted(x, source));
    }
  });

  test("enlarging twice and looking at every second pixel gives x back, corners aligned", async () => {
    const x = noise([1, 5, 4, 3]);
    const large = await through(x, {}, { size: [9, 7] });
    const small = Float32Array.from({ length: x.data.length }, (_, at) => {
      const [c, pixel] = [at % 3, Math.floor(at / 3)];
      return large[(2 * Math.floor(pixel / 4) * 7 + 2 * (pixel % 4)) * 3 + c] ?? NaN;
    });
    expectClose(small, x.data, 1e-6, "every second pixel");
  });
});

describe("homographies", () => {
  const at = (matrix: Matrix3, x: number, y: number): [number, number] => {
    const [a = NaN, b = NaN, w = NaN] = matrix.map((row) => row[0] * x + row[1] * y + row[2]);
    return [a / w, b / w];
  };
  const expectAt = (matrix: Matrix3, from: [number, number], to: [number, number]): void => {
    expectClose(at(matrix, ...from), to, 1e-12, `from ${from.join(", ")}`);
  };

  test("the warp shows the corners where fastai has them", () => {
    for (const [x, y] of [
      [0, 0],
      [0.2, 0],
      [0, -0.2],
      [-0.17, 0.11],
      [0.45, 0.45],
    ] as const) {
      const warp = warping(x, y);
      expectAt(warp, [-1 - y, -1 - x], [-1, -1]);
      expectAt(warp, [-1 + y, 1 + x], [-1, 1]);
      expectAt(warp, [1 + y, -1 + x], [1, -1]);
      expectAt(warp, [1 - y, 1 - x], [1, 1]);
    }
  });

  test("a zoom keeps its centre and looks at a smaller part", () => {
    const zoom = zooming(1.25, 0.25, 0.875);
    expectAt(zoom, [-0.5, 0.75], [-0.5, 0.75]);
    expectAt(zooming(2, 0.5, 0.5), [1, -1], [0.5, -0.5]);
    expectAt(zooming(2, 0, 1), [1, -1], [0, 0]);
  });

  test("a rotation turns by true angles in images that are no squares", () => {
    const size: ImageSize = [101, 301];
    const turn = compose(fromUnit(size, false), forAspect(rotation(30), size), toUnit(size, false));
    const distance = (x: number, y: number) => Math.hypot(x - 150, y - 50);
    expect(distance(...at(turn, 180, 50))).toBeCloseTo(30, 10);
    expectAt(turn, [150, 50], [150, 50]);
    expectAt(turn, [180, 50], [150 + 30 * Math.cos(Math.PI / 6), 50 - 15]);
  });

  test("pixels and unit coordinates are each other's inverse", () => {
    for (const alignCorners of [true, false]) {
      const both = compose(fromUnit([7, 4], alignCorners), toUnit([7, 4], alignCorners));
      expect(normalized(both, 1.5, 3)).toEqual(identity);
    }
    expectAt(toUnit([1, 1], true), [0, 0], [0, 0]);
    expectAt(toUnit([5, 5], false), [-0.5, 4.5], [-1, 1]);
  });

  test("the eight symmetries are all different", () => {
    const all = Array.from({ length: 8 }, (_, i) => dihedral(i).flat().join());
    expect(new Set(all).size).toBe(8);
  });
});

/** Bounds of 6 standard errors; the seed is fixed, so they hold or they do not, on every run alike. */
const draws = 20_000;

function expectShare(values: readonly unknown[], share: number): void {
  const found = values.filter((value) => value === true).length / values.length;
  const error = Math.sqrt((share * (1 - share)) / values.length);
  expect(Math.abs(found - share)).toBeLessThanOrEqual(6 * error);
}

/** Where not neutral: within the range, evenly spread, as often as p says. */
function expectUniform(
  values: readonly number[],
  neutral: number,
  p: number,
  [low, high]: readonly [number, number],
): void {
  expectShare(
    values.map((value) => value !== neutral),
    p,
  );
  const drawn = values.filter((value) => value !== neutral);
  expect(Math.min(...drawn)).toBeGreaterThanOrEqual(low - 1e-12);
  expect(Math.max(...drawn)).toBeLessThanOrEqual(high + 1e-12);
  for (const part of [0.1, 0.5, 0.8]) {
    expectShare(
      drawn.map((value) => value < low + part * (high - low)),
      part,
    );
  }
}

describe("what is drawn", () => {
  const random = new Xoshiro128(11);
  const all = Array.from({ length: draws }, () => drawView(usual, [30, 40], random));
  const column = <K extends keyof Draws>(name: K): Draws[K][] => all.map((drawn) => drawn[name]);

  test("has fastai's probabilities and ranges", () => {
    expectShare(
      column("symmetry").map((symmetry) => symmetry === 1),
      0.5,
    );
    expect(new Set(column("symmetry"))).toEqual(new Set([0, 1]));
    expectUniform(column("degrees"), 0, 0.75, [-10, 10]);
    expectUniform(column("warpX"), 0, 0.75, [-0.2, 0.2]);
    expectUniform(column("warpY"), 0, 0.75, [-0.2, 0.2]);
    expectUniform(column("zoom"), 1, 0.75, [1, 1.1]);
    expectUniform(column("zoomX"), NaN, 1, [0, 1]);
    expectUniform(column("zoomY"), NaN, 1, [0, 1]);
    const light = column("brightness").map((logit) => 1 / (1 + Math.exp(-logit)));
    expectUniform(light, 0.5, 0.75, [0.4, 0.6]);
    expectUniform(column("contrast").map(Math.log), 0, 0.75, [Math.log(0.8), -Math.log(0.8)]);
    expect(new Set(column("saturation"))).toEqual(new Set([1]));
    expect(column("crop").every((crop) => crop === undefined)).toBe(true);
  });

  test("maxSaturation: its range", () => {
    const some = Array.from(
      { length: draws },
      () => drawView({ ...usual, maxSaturation: 0.3 }, [3, 3], random).saturation,
    );
    expectUniform(some.map(Math.log), 0, 0.75, [Math.log(0.7), -Math.log(0.7)]);
  });

  test("is drawn independently", () => {
    expectShare(
      all.map(({ warpX, warpY }) => warpX !== 0 && warpY !== 0),
      0.75 ** 2,
    );
    expectShare(
      all.map(({ degrees, zoom }) => degrees !== 0 && zoom !== 1),
      0.75 ** 2,
    );
  });

  test("flipVert: all symmetries, in half of the images", () => {
    const some = Array.from(
      { length: draws },
      () => drawView({ ...usual, flipVert: true }, [3, 3], random).symmetry,
    );
    for (let index = 0; index < 8; index++) {
      expectShare(
        some.map((symmetry) => symmetry === index),
        index === 0 ? 0.5 + 1 / 16 : 1 / 16,
      );
    }
  });

  test("minScale: squares of evenly spread areas, where they fit", () => {
    const crops = Array.from({ length: 4000 }, () => {
      const { crop } = drawView({ ...usual, minScale: 0.25 }, [300, 300], random);
      return crop ?? { top: NaN, left: NaN, height: NaN, width: NaN };
    });
    expect(crops.every(({ height, width }) => height === width)).toBe(true);
    expect(
      crops.every(({ top, left, height }) => top + height <= 300 && left + height <= 300),
    ).toBe(true);
    expectShare(
      crops.map(({ height }) => height ** 2 < (0.25 + 0.75 / 2) * 300 ** 2),
      0.5,
    );
    const wide = drawView({ ...usual, minScale: 0.9 }, [10, 100], random).crop;
    expect(wide).toEqual({ top: 0, left: 45, height: 10, width: 10 });
  });
});

/** The transforms one after the other, as a loader runs them. */
async function run(
  transforms: readonly BatchTransform[],
  x: Tensor,
  seed: number,
  training = true,
): Promise<{ shape: Shape; values: number[] }> {
  const random = new Xoshiro128(seed);
  const out = transforms
    .filter(({ trainingOnly }) => training || !trainingOnly)
    .reduce((images, transform) => transform.apply(images, random), x);
  return { shape: out.shape, values: [...(await out.data())] };
}

describe("augTransforms", () => {
  test("repeats itself for a seed, and changes with it", async () => {
    const x = onDevice(noise([4, 12, 10, 3]));
    const first = await run(augTransforms(), x, 1);
    expect(await run(augTransforms(), x, 1)).toEqual(first);
    expect(await run(augTransforms(), x, 2)).not.toEqual(first);
  });

  test("gives each image of a batch draws of its own, or all the same", async () => {
    const one = noise([1, 9, 9, 3]).data;
    const x = tensor([...one, ...one, ...one], { shape: [3, 9, 9, 3] });
    const imagesOf = async (options: AugTransformsOptions) => {
      const { values } = await run(augTransforms(options), x, 3);
      return new Set(
        [0, 1, 2].map((i) => values.slice(i * one.length, (i + 1) * one.length).join()),
      );
    };
    expect((await imagesOf({})).size).toBe(3);
    expect((await imagesOf({ batch: true })).size).toBe(1);
  });

  test("is one pass of order 30 for training, with all its settings", () => {
    const transforms = augTransforms({ maxRotate: 20 });
    expect(transforms.map(({ name, order, trainingOnly }) => [name, order, trainingOnly])).toEqual([
      ["AugTransforms", 30, true],
    ]);
    expect(transforms[0]?.settings).toMatchInlineSnapshot(`
      {
        "alignCorners": true,
        "batch": false,
        "doFlip": true,
        "flipVert": false,
        "maxLighting": 0.2,
        "maxRotate": 20,
        "maxSaturation": 0,
        "maxWarp": 0.2,
        "maxZoom": 1.1,
        "minScale": 1,
        "minZoom": 1,
        "mode": "bilinear",
        "mult": 1,
        "pAffine": 0.75,
        "pLighting": 0.75,
        "padMode": "reflection",
        "size": null,
      }
    `);
  });

  test("can be made again from its settings as JSON", async () => {
    const options: AugTransformsOptions = {
      mult: 2,
      size: [8, 6],
      minScale: 0.5,
      padMode: "zeros",
    };
    const transforms = augTransforms(options);
    const settings = JSON.parse(JSON.stringify(transforms[0]?.settings)) as AugTransformsOptions;
    const x = onDevice(noise([2, 16, 16, 3]));
    expect(await run(augTransforms(settings), x, 4)).toEqual(await run(transforms, x, 4));
  });

  test("with a size resizes validation, too, without chance", async () => {
    const transforms = augTransforms({ size: 6 });
    const x = noise([2, 9, 12, 3]);
    expect((await run(transforms, onDevice(x), 1)).shape).toEqual([2, 6, 6, 3]);
    const valid = await run(transforms, onDevice(x), 1, false);
    expect(await run(transforms, onDevice(x), 2, false)).toEqual(valid);
    expect(valid.values).toEqual([...(await through(x, {}, { size: [6, 6] }))]);
  });

  test("with minScale validates on the square in the middle", async () => {
    const x = noise([1, 6, 10, 3]);
    const { values } = await run(augTransforms({ size: 6, minScale: 0.5 }), onDevice(x), 1, false);
    const expected = [...x.data].filter((_, at) => {
      const column = Math.floor(at / 3) % 10;
      return column >= 2 && column < 8;
    });
    expect(values).toEqual([...Float32Array.from(expected)]);
  });

  test("leaves validation alone, and everything when nothing is left to do", () => {
    const x = zeros([2, 4, 4, 3]);
    const none = { doFlip: false, maxZoom: 1, mult: 0 };
    expect(augTransforms(none)).toEqual([]);
    const [resize] = augTransforms({ ...none, size: 4 });
    expect(resize?.trainingOnly).toBe(false);
    expect(resize?.apply(x, new Xoshiro128(1))).toBe(x);
  });

  test("mult multiplies what fastai multiplies", async () => {
    const x = onDevice(noise([2, 8, 8, 3]));
    const doubled = { maxRotate: 20, maxLighting: 0.4, maxWarp: 0.4 };
    expect(await run(augTransforms({ mult: 2 }), x, 5)).toEqual(
      await run(augTransforms(doubled), x, 5),
    );
  });

  test.each<AugTransformsOptions>([
    { maxRotate: -1 },
    { minZoom: 0 },
    { minZoom: 2 },
    { maxZoom: Infinity },
    { maxLighting: 0.5, mult: 2 },
    { maxSaturation: 1 },
    { maxWarp: 0.5 },
    { pAffine: 1.5 },
    { pLighting: NaN },
    { size: 0 },
    { size: [2, 2.5] },
    { minScale: 0, size: 3 },
    { minScale: 0.5 },
  ])("refuses %j", (options) => {
    expect(() => augTransforms(options)).toThrowErrorMatchingSnapshot();
  });

  test("refuses what are no images", () => {
    const [transform] = augTransforms();
    const random = new Xoshiro128(1);
    const x = (shape: Shape, dtype: "f32" | "i32" = "f32") => zeros(shape, { dtype });
    const [colours] = augTransforms({ maxSaturation: 0.5, pLighting: 1 });
    expect(() => colours?.apply(x([1, 2, 2, 4]), random)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: augTransforms: saturation is a matter of three channels: [1, 2, 2, 4]. Leave out maxSaturation]`,
    );
    expect(() => transform?.apply(x([3, 3]), random)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: augTransforms: these are no images: [3, 3]. Pass [n, height, width, channels]]`,
    );
    expect(() => transform?.apply(x([1, 2, 0, 3]), random)).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: augTransforms: these are no images: [1, 2, 0, 3]. Pass [n, height, width, channels]]`,
    );
    expect(() =>
      transform?.apply(x([1, 2, 2, 3], "i32"), random),
    ).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: augTransforms: images are f32, not i32: Tensor(i32[1, 2, 2, 3]). Use cast(x, "f32")]`,
    );
  });
});
