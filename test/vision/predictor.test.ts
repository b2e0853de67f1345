/** @file What predictions take, give and refuse. Small models, so that many of them are quick. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ImageLoader,
  ImagePipeline,
  loadPixels,
  Resize,
  type Label,
  type RgbImage,
} from "../../data/index.ts";
import { ImageDataLoaders } from "../../data/node.ts";
import { crossEntropy, LimitError, manualSeed } from "../../engine/index.ts";
import {
  BatchNorm1d,
  Conv2d,
  Dropout,
  Flatten,
  GlobalAveragePool,
  hookForward,
  Learner,
  Linear,
  linesOnly,
  Sequential,
  type Callback,
} from "../../nn/index.ts";
import { Predictor, type PredictionData, type PredictionItem } from "../../vision/index.ts";
import { useDevice } from "../device.ts";

useDevice();

const pipeline = (vocab: readonly Label[]) =>
  new ImagePipeline({ vocab, itemTfms: [new Resize(8)], batchTfms: [] });

/** Different for each `seed`. */
function pixels(width = 10, height = 9, seed = 1): RgbImage {
  const data = Uint8Array.from(
    { length: width * height * 3 },
    (_, i) => (i * 7919 + seed * 104729) % 251,
  );
  return { width, height, data };
}

/** The results are linear in the mean colour. */
function classifier(outFeatures: number): Sequential {
  manualSeed(1);
  return new Sequential(new GlobalAveragePool(), new Linear({ inFeatures: 3, outFeatures }));
}

describe("batches whose tensors the adapter cannot bind", () => {
  /** A model whose tensors fit for `most` images, and how many it was given. */
  const limited = (most: number) => {
    const model = classifier(2);
    const sizes: number[] = [];
    hookForward(model, (_output, x) => {
      const [count = 0] = x.shape;
      sizes.push(count);
      if (count > most) throw new LimitError("test", `too many images: ${count}`, "Use fewer");
    });
    return { predictor: new Predictor(model, pipeline(["cat", "dog"])), sizes };
  };
  const images = Array.from({ length: 11 }, (_, i) => pixels(10, 9, i + 1));

  test("run in parts, and later ones know it", async () => {
    const { predictor, sizes } = limited(3);
    const predictions = await predictor.predict(images, { bs: 8 });
    expect(sizes).toEqual([8, 4, 2, 2, 2, 2, 2, 1]);
    const whole = await new Predictor(classifier(2), pipeline(["cat", "dog"])).predict(images);
    predictions.forEach(({ probabilities }, i) => {
      expect(probabilities[0]).toBeCloseTo(whole[i]?.probabilities[0] ?? NaN, 6);
    });
  });

  test("are refused when one image is too large", async () => {
    const { predictor, sizes } = limited(0);
    await expect(predictor.predict(images.slice(0, 2))).rejects.toThrow("too many images: 1");
    expect(sizes).toEqual([2, 1]);
  });
});

describe("a model with another number of results than there are classes", () => {
  test("is refused", async () => {
    const predictor = new Predictor(classifier(5), pipeline(["cat", "dog"]));
    await expect(predictor.predict(pixels())).rejects.toThrow(
      "predict: the model's results are not as many as the classes: 5 for an image, 2 in the vocab",
    );
  });

  test("is refused when it gives no row for each image", async () => {
    const images = new Sequential(new Conv2d({ inChannels: 3, outChannels: 2, kernelSize: 1 }));
    await expect(new Predictor(images, pipeline(["cat", "dog"])).predict(pixels())).rejects.toThrow(
      "the model does not give a row of results for each image: [1, 8, 8, 2] for [1, 8, 8, 3]",
    );
    const flat = new Sequential(new Flatten({ startAxis: 0 }));
    await expect(new Predictor(flat, pipeline([])).predict(pixels())).rejects.toThrow("[192]");
  });

  test("predicts indices where there are no classes", async () => {
    const { label, index, probabilities } = await new Predictor(
      classifier(5),
      pipeline([]),
    ).predict(pixels());
    expect(probabilities).toHaveLength(5);
    expect(label).toBe(index);
  });
});

describe("images", () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "wgrad-predict-"));
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** Writes pixels of 1 to 4 channels as PNG. */
  async function write(name: string, side: number, channels: 1 | 2 | 3 | 4): Promise<string> {
    const data = Uint8Array.from(
      { length: side * side * channels },
      (_, i) => (i * 7919 + side) % 251,
    );
    const file = join(folder, name);
    await sharp(data, { raw: { width: side, height: side, channels } })
      .png()
      .toFile(file);
    return file;
  }
  const files = (): PredictionData => {
    const settings = pipeline(["cat", "dog", "bird"]).settings();
    return ImageDataLoaders.pipelineFromSettings(settings);
  };

  test("of every kind, in a list and one by one, are predicted the same, in their order", async () => {
    const items: PredictionItem[] = [
      await write("a b.png", 20, 3),
      pathToFileURL(await write("c#%d.png", 30, 3)),
      await write("one.png", 1, 3),
      await readFile(await write("grey.png", 17, 1)),
      new Uint8Array(await readFile(await write("grey-alpha.png", 15, 2))).buffer,
      await write("alpha.png", 16, 4),
      pixels(1, 1),
      pixels(40, 7),
    ];
    const predictor = new Predictor(classifier(3), files());
    const lists = [await predictor.predict(items), await predictor.predict(items, { bs: 3 })];
    for (const [i, item] of items.entries()) {
      const { label, index, probabilities } = await predictor.predict(item);
      for (const list of lists) {
        expect(list).toHaveLength(items.length);
        expect(list[i]).toMatchObject({ label, index });
        probabilities.forEach((p, c) => {
          expect(Math.abs(p - (list[i]?.probabilities[c] ?? NaN))).toBeLessThan(1e-5);
        });
      }
    }
    const different = new Set(lists[0]?.map(({ probabilities }) => probabilities.join()));
    expect(different.size).toBe(items.length);
  });

  test.each<[unknown, string]>([
    [undefined, "image 0 is nothing that can be predicted from: undefined"],
    [{ width: 1, height: 1, pixels: [] }, "image 0 is .*: object with width, height, pixels"],
    [{ width: 1, height: 1, data: [1, 2, 3] }, "image 0 is .*: object with width, height, data"],
    [["a.png", null], "image 1 is .*: null"],
    [[pixels(), 7], "image 1 is .*: 7"],
    [new URL("https://example.com/cat.jpg"), "image 0 is .*: https://example.com/cat.jpg"],
    [new Map(), "image 0 is .*: Map"],
  ])("%s is refused", async (item, message) => {
    const predictor = new Predictor(classifier(3), files());
    await expect(predictor.predict(item as PredictionItem)).rejects.toThrow(
      new RegExp(`^predict: ${message}. Pass a path, a file: URL, the bytes of a file`),
    );
  });
});

describe("a model that diverged", () => {
  const predictor = () => {
    const model = classifier(2);
    const [weight] = model.parameters();
    weight?.write(new Float32Array(weight.size).fill(NaN));
    return new Predictor(model, pipeline(["cat", "dog"]));
  };

  test("is refused, with the image", async () => {
    await expect(predictor().predict([pixels(), pixels()])).rejects.toThrow(
      "predict: the model gives NaN for image 0 (10 x 9 pixels)",
    );
  });
});

describe("a model in training mode", () => {
  /** In training it changes its statistics, drops numbers, and takes no batch of one image. */
  function moody(): Sequential {
    manualSeed(1);
    return new Sequential(
      new GlobalAveragePool(),
      new BatchNorm1d({ numFeatures: 3 }),
      new Dropout(),
      new Linear({ inFeatures: 3, outFeatures: 2 }),
    );
  }
  const images = Array.from({ length: 12 }, (_, i) => pixels(10, 9, i));

  test("predicts in evaluation mode, and each module has its own mode back", async () => {
    const model = moody();
    const [, norm] = model
      .modules()
      .filter((module) => module === model || module instanceof BatchNorm1d);
    norm?.eval();
    const modes = () => model.modules().map(({ training }) => training);
    const [before, seen] = [modes(), [] as boolean[]];
    const stop = hookForward(model, () => seen.push(...modes()));
    const predictor = new Predictor(model, pipeline(["cat", "dog"]));
    const both = Promise.all([predictor.predict(images, { bs: 1 }), predictor.predict(images)]);
    expect(modes()).toEqual(before);
    const [one, other] = await both;
    stop();
    expect(modes()).toEqual(before);
    expect(before).toContain(true);
    expect(seen).not.toContain(true);
    for (const [i, { probabilities }] of one.entries()) {
      expect(probabilities[0]).toBeCloseTo(other[i]?.probabilities[0] ?? NaN, 6);
    }
  });

  test("is trained the same while it predicts", async () => {
    const train = async (callback: (predictor: Predictor) => Callback): Promise<unknown> => {
      const model = moody();
      const loader = new ImageLoader({
        ...{ items: images, labels: Int32Array.from(images, (_, i) => i % 2), load: loadPixels },
        ...{ itemTfms: [new Resize(8)], batchTfms: () => [], training: true, batchSize: 4 },
      });
      const learn = new Learner({
        ...{ train: loader, model, loss: crossEntropy, progress: linesOnly(() => undefined) },
      });
      const predictor = new Predictor(model, pipeline(["cat", "dog"]));
      await learn.fit(3, 1e-2, { callbacks: [callback(predictor)] });
      return Promise.all(Array.from(model.stateEntries().values(), ({ tensor }) => tensor.data()));
    };
    const pending: Promise<unknown>[] = [];
    const predicting = (predictor: Predictor): Callback => ({
      afterBatch: () => void pending.push(predictor.predict(images, { bs: 1 })),
    });
    expect(await train(predicting)).toEqual(await train(() => ({})));
    expect(await Promise.all(pending)).toHaveLength(9);
  });
});
