/** @file What becomes of a first convolution: another preprocessing, another number of channels; and the published weights. */
import { describe, expect, test } from "vitest";
import {
  adaptInChannels,
  foldPreprocessing,
  imagenetStats,
  resnet18Weights,
  resnet34Weights,
  resnet50Weights,
  squeezenetCompressedWeights,
  squeezenetWeights,
  type ImportableState,
} from "../../../nn/index.ts";
import { seededRandom } from "../../inputs.ts";
import { expectClose } from "../../numeric.ts";

const random = seededRandom(7);
const numbers = (shape: readonly number[]): ImportableState => {
  const size = shape.reduce((product, n) => product * n, 1);
  return { dtype: "F32", shape, data: Float32Array.from({ length: size }, () => random() - 0.5) };
};

/** `bias[o] + sum over c, t of weight[o, c, t] * pixels[c][t]`: one output pixel of a convolution without padding. */
function respond(
  weight: ImportableState,
  bias: ImportableState | undefined,
  pixels: readonly (readonly number[])[],
): number[] {
  const [out = 0, channels = 0] = weight.shape;
  const taps = weight.data.length / (out * channels);
  return Array.from({ length: out }, (_, o) =>
    pixels.reduce(
      (sum, channel, c) =>
        sum +
        channel.reduce((s, v, t) => s + v * Number(weight.data[(o * channels + c) * taps + t]), 0),
      Number(bias?.data[o] ?? 0),
    ),
  );
}

describe("foldPreprocessing", () => {
  const { preprocessing } = squeezenetCompressedWeights;
  const weight = numbers([5, 3, 2, 3]);
  const bias = numbers([5]);

  test("gives the same responses to normalized R, G, B as to what the weights were trained on", () => {
    const rgb = Array.from({ length: 3 }, () => Array.from({ length: 6 }, random));
    const uncommon = { ...preprocessing, std: [50, 60, 70] as const };
    const folded = foldPreprocessing({ weight, bias }, uncommon, 0);
    const theirs = [...rgb]
      .reverse()
      .map((channel, c) =>
        channel.map((v) => (255 * v - (uncommon.mean[c] ?? NaN)) / (uncommon.std[c] ?? NaN)),
      );
    const ours = rgb.map((channel, k) =>
      channel.map((v) => (v - (imagenetStats.mean[k] ?? NaN)) / (imagenetStats.std[k] ?? NaN)),
    );
    const found = respond(folded.weight, folded.bias, ours);
    expectClose(found, respond(weight, bias, theirs), 1e-6, "responses");
  });

  test("changes no bit where there is nothing to fold, even with padding and without bias", () => {
    const same = foldPreprocessing({ weight, bias: undefined }, resnet34Weights.preprocessing, 3);
    expect(same.bias).toBeUndefined();
    expect(same.weight.data).toEqual(weight.data);
  });

  test("refuses what would not be exact", () => {
    expect(() =>
      foldPreprocessing({ weight, bias }, preprocessing, 1),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: foldPreprocessing: the convolution has padding, so another mean is no change of its weights: weight [5, 3, 2, 3]. Preprocess the images as the weights expect, and load the weights by importStateDict]`,
    );
    expect(() =>
      foldPreprocessing({ weight, bias: undefined }, preprocessing, 0),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: foldPreprocessing: the convolution has no bias that could take another mean: weight [5, 3, 2, 3]. Preprocess the images as the weights expect, and load the weights by importStateDict]`,
    );
    expect(() =>
      foldPreprocessing({ weight: numbers([5, 1, 2, 3]), bias }, preprocessing, 0),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: foldPreprocessing: the weight is not of a convolution of 3 channels: weight [5, 1, 2, 3]. Preprocess the images as the weights expect, and load the weights by importStateDict]`,
    );
  });
});

describe("adaptInChannels", () => {
  // Two outputs of 3 channels of 1 x 2: 0, 1 | 2, 3 | 4, 5 and 6, 7 | 8, 9 | 10, 11.
  const weight: ImportableState = {
    dtype: "F32",
    shape: [2, 3, 1, 2],
    data: Float32Array.from({ length: 12 }, (_, i) => i),
  };

  test.each([
    [1, [6, 9, 24, 27]],
    [2, [0, 1.5, 3, 4.5, 9, 10.5, 12, 13.5]],
    [3, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]],
    [4, [0, 1, 2, 3, 4, 5, 0, 0, 6, 7, 8, 9, 10, 11, 0, 0]],
  ])("to %i channels", (inChannels, expected) => {
    const adapted = adaptInChannels(weight, inChannels);
    expect(adapted.shape).toEqual([2, inChannels, 1, 2]);
    expect(Array.from(adapted.data, Number)).toEqual(expected);
  });

  test("wants weights for 3 channels", () => {
    expect(() => adaptInChannels(numbers([2, 4, 1, 1]), 1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: adaptInChannels: the weight does not take 3 channels: [2, 4, 1, 1]. Load weights that were trained on colour photos]`,
    );
  });
});

describe("published weights", () => {
  test("of torchvision have their hash in their names, and its address", () => {
    for (const { url, fileName, sha256 } of [
      ...[resnet18Weights, resnet34Weights, resnet50Weights, squeezenetWeights],
    ]) {
      expect(fileName).toMatch(new RegExp(`^[a-z0-9_]+-${sha256}\\.pth$`));
      expect(sha256).toMatch(/^[0-9a-f]{8}$/);
      expect(url).toBe(`https://download.pytorch.org/models/${fileName}`);
    }
    expect(resnet34Weights.fileName).toBe("resnet34-b627a593.pth");
  });

  test("of SqueezeNet's authors: every name becomes one of torchvision's", () => {
    const { rename = String } = squeezenetCompressedWeights;
    expect(
      [
        "conv1.weight",
        "fire2/conv1x1_1.bias",
        "fire4/conv1x1_2.weight",
        "fire5/conv3x3_2.bias",
      ].map(rename),
    ).toEqual([
      ...["features.0.weight", "features.3.squeeze.bias", "features.5.expand1x1.weight"],
      "features.7.expand3x3.bias",
    ]);
    expect(
      ["fire9/conv1x1_1.weight", "conv_final.bias", "fire1/conv1x1_1.bias", "x"].map(rename),
    ).toEqual(["features.12.squeeze.weight", "classifier.1.bias", "fire1/conv1x1_1.bias", "x"]);
  });
});
