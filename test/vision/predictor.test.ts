/** @file What predictions take, give and refuse. Small models, so that many of them are quick. */
import { describe, expect, test } from "vitest";
import {
  ImageLoader,
  ImagePipeline,
  loadPixels,
  Resize,
  type Label,
  type RgbImage,
} from "../../data/index.ts";
import { crossEntropy, manualSeed } from "../../engine/index.ts";
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
import { Predictor } from "../../vision/index.ts";
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
