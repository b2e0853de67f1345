/** @file What predictions take, give and refuse. Small models, so that many of them are quick. */
import { describe, expect, test } from "vitest";
import { ImagePipeline, Resize, type Label, type RgbImage } from "../../data/index.ts";
import { manualSeed } from "../../engine/index.ts";
import { Conv2d, Flatten, GlobalAveragePool, Linear, Sequential } from "../../nn/index.ts";
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
