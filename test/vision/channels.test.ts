/** @file Images of other numbers of channels than three, from files to predictions. */
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import {
  augTransforms,
  ImagePipeline,
  imagenetStats,
  RandomErasing,
  Resize,
  type BatchTransform,
  type Json,
} from "../../data/index.ts";
import { decodePng, ImageDataLoaders, type ImageDataLoadersOptions } from "../../data/node.ts";
import { concat, mean } from "../../engine/index.ts";
import { exportStateDict, linesOnly, squeezenet1_0 } from "../../nn/index.ts";
import { cnnLearner, loadLearner } from "../../vision/node.ts";
import { noise, plain, pngOf, put, temporaryFolder } from "../data/vision/images.ts";
import { useDevice } from "../device.ts";

useDevice();

const folder = temporaryFolder();
const files: string[] = [];
const quiet = { progress: linesOnly(() => undefined) };

beforeAll(async () => {
  for (let i = 0; i < 6; i++)
    files.push(await put(folder, `${i}.png`, await pngOf(noise(40, 36, i))));
});

const load = (options: ImageDataLoadersOptions = {}) =>
  ImageDataLoaders.fromPathFunc(folder, files, {
    ...{ bs: 2, itemTfms: [new Resize(32)], onWarning: () => undefined, ...options },
    labelFunc: (file) => /[024]\.png$/.test(file),
  });

/** Transforms whose batches have other channels than their images. */
const grey: BatchTransform = {
  ...{ name: "Grey", order: 5, trainingOnly: false, settings: {}, outChannels: 1 },
  apply: (x) => mean(x, -1, { keepDims: true }),
};
const withAlpha: BatchTransform = {
  ...{ name: "Alpha", order: 5, trainingOnly: false, settings: {}, outChannels: 4 },
  apply: (x) => concat([x, mean(x, -1, { keepDims: true })], -1),
};

describe("channels: 1", () => {
  test("gives the grey values that PIL gives, of odd sizes, too", async () => {
    const dls = await load({ channels: 1, itemTfms: [new Resize(3)] });
    const image = plain(3, 3, [200, 100, 50]);
    const { x } = await dls.testLoader([image]).oneBatch();
    expect(x.shape).toEqual([1, 3, 3, 1]);
    // (19595 x 200 + 38470 x 100 + 7471 x 50 + 32768) >> 16
    for (const value of await x.data()) expect(Math.round(255 * value)).toBe(124);
    const already = await dls.testLoader([plain(3, 3, [7, 7, 7])]).oneBatch();
    for (const value of await already.x.data()) expect(Math.round(255 * value)).toBe(7);
  });

  test("is told by summary and settings, and read back", async () => {
    const dls = await load({ channels: 1 });
    expect(dls.channels).toBe(1);
    const summary = await dls.summary();
    expect(summary).toContain("1. decode: grey, 8 bits\n");
    expect(summary).toContain("batch: x f32[2, 32, 32, 1]");
    const settings = JSON.parse(JSON.stringify(dls.settings())) as Record<string, Json>;
    expect(ImageDataLoaders.pipelineFromSettings(settings).channels).toBe(1);
    const { channels, ...old } = settings;
    expect(channels).toBe(1);
    expect(ImagePipeline.fromSettings(old).channels).toBe(3);
    expect(() => ImagePipeline.fromSettings({ ...old, channels: 4 })).toThrow(
      "images have 1 or 3 channels, not 4",
    );
  });

  test("trains, without ImageNet's normalisation, predicts, and comes back from a folder", async () => {
    const batchTfms = [...augTransforms(), new RandomErasing({ p: 1 })];
    const dls = await load({ channels: 1, batchTfms });
    const pretrained = await exportStateDict(squeezenet1_0({ numClasses: 2 }));
    const learn = await cnnLearner(dls, squeezenet1_0, { pretrained, ...quiet });
    expect(learn.model.inChannels).toBe(1);
    expect(dls.pipeline.normalization).toBeUndefined();
    await learn.fit(1);
    const before = await learn.predict(files);
    await learn.export(join(folder, "model"));
    const after = await (await loadLearner(join(folder, "model"))).predict(files);
    expect(after).toEqual(before);
  });
});

describe("a model of other channels than its images", () => {
  test("is refused before anything runs", async () => {
    const options = { pretrained: false, ...quiet };
    await expect(
      cnnLearner(await load(), squeezenet1_0, { ...options, inChannels: 1 }),
    ).rejects.toThrow("visionLearner: the images have 3 channels, the model would take 1. Leave");
    await expect(
      cnnLearner(await load({ channels: 1 }), squeezenet1_0, { ...options, inChannels: 3 }),
    ).rejects.toThrow("the images have 1 channels, the model would take 3");
  });

  test("takes what transforms say of their result", async () => {
    const dls = await load({ batchTfms: [grey] });
    const learn = await cnnLearner(dls, squeezenet1_0, { pretrained: false, ...quiet });
    expect(learn.model.inChannels).toBe(1);
    expect(await learn.predict(files)).toHaveLength(6);
  });
});

describe("showBatch", () => {
  const colours = async (options: ImageDataLoadersOptions) => {
    const dls = await load({ ...options, itemTfms: [new Resize(200)], shuffle: false });
    if (dls.channels === 3) dls.addNormalize(imagenetStats);
    const { width, data } = decodePng(await dls.showBatch({ maxN: 1 }));
    const middle = (150 * width + 100) * 4;
    return [...data.subarray(middle, middle + 3)];
  };

  test("shows grey images as grey, and of four channels the first three", async () => {
    const [red = 0, green = 0, blue = 0] = await colours({});
    for (const options of [{ channels: 1 as const }, { batchTfms: [grey] }]) {
      const found = await colours(options);
      expect(new Set(found).size).toBe(1);
    }
    const [first = 0] = await colours({ channels: 1 });
    expect(Math.abs(first - (0.299 * red + 0.587 * green + 0.114 * blue))).toBeLessThan(3);
    expect(await colours({ batchTfms: [withAlpha] })).toEqual([red, green, blue]);
  });
});
