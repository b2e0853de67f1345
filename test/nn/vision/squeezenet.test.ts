/** @file SqueezeNet: torchvision's names and initial values, and the logits that an independent program got from real weights. */
import { readFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { decodeSafetensors } from "../../../data/index.ts";
import { noGrad, openScope, randomNormal, tensor, type Tensor } from "../../../engine/index.ts";
import {
  createVisionModel,
  exportStateDict,
  imagenetStats,
  importStateDict,
  squeezenet1_0,
  squeezenetCompressedWeights,
  summary,
  type SqueezeNet,
  type TorchState,
} from "../../../nn/index.ts";
import { useDevice } from "../../device.ts";
import { expectClose } from "../../numeric.ts";
import { sharedData } from "../../shared-data.ts";
import { useModels } from "./models.ts";

useDevice();

const build = useModels();

describe("SqueezeNet", () => {
  test("has torchvision's names, shapes and 1,248,424 parameters", async () => {
    const model = build(squeezenet1_0());
    const state = await exportStateDict(model);
    const names = [...state.keys()];
    expect(names.slice(0, 8)).toEqual([
      ...["features.0.weight", "features.0.bias"],
      ...["features.3.squeeze.weight", "features.3.squeeze.bias"],
      ...["features.3.expand1x1.weight", "features.3.expand1x1.bias"],
      ...["features.3.expand3x3.weight", "features.3.expand3x3.bias"],
    ]);
    expect(names).toHaveLength(52);
    expect(names.slice(-2)).toEqual(["classifier.1.weight", "classifier.1.bias"]);
    expect(state.get("features.12.expand3x3.weight")?.shape).toEqual([256, 64, 3, 3]);
    expect(model.parameters().reduce((sum, { size }) => sum + size, 0)).toBe(1_248_424);
  });

  test("starts as torchvision's: Kaiming-uniform, the last convolution N(0, 0.01^2), biases 0", async () => {
    const state = await exportStateDict(build(squeezenet1_0()));
    const expand = Float32Array.from(state.get("features.12.expand3x3.weight")?.data ?? [], Number);
    const bound = Math.sqrt(6 / (64 * 9));
    const largest = expand.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    expect(largest).toBeLessThanOrEqual(bound);
    expect(largest).toBeGreaterThan(0.99 * bound);
    const last = Float32Array.from(state.get("classifier.1.weight")?.data ?? [], Number);
    const variance = last.reduce((sum, v) => sum + v * v, 0) / last.length;
    expect(Math.sqrt(variance) / 0.01).toBeCloseTo(1, 1.7);
    for (const [name, { data }] of state) {
      if (name.endsWith("bias"))
        expect(new Set(Array.from(data, Number)), name).toEqual(new Set([0]));
    }
  });

  test("its pools round up: 224 pixels become 54, 27 and 13, and 0.82 G multiply-adds", () => {
    const { rows, multiplyAdds } = summary(build(squeezenet1_0()), [1, 224, 224, 3]);
    const pools = rows.filter(({ type }) => type === "MaxPool2d");
    expect(pools.map(({ outputShape }) => outputShape[1])).toEqual([54, 27, 13]);
    expect(multiplyAdds / 1e9).toBeCloseTo(0.82, 2);
  });

  test("other classes and channels, the smallest image, and wrong sizes", async () => {
    const model = build(squeezenet1_0({ numClasses: 3, inChannels: 1 })).eval();
    using _scope = openScope();
    const logits = noGrad(() => model.forward(randomNormal([2, 21, 21, 1])));
    expect(logits.shape).toEqual([2, 3]);
    expect((await logits.data()).every((v) => v >= 0 && Number.isFinite(v))).toBe(true);
    expect(() => squeezenet1_0({ numClasses: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SqueezeNet: numClasses is not a whole number >= 1: 0. Pass a whole number]`,
    );
  });
});

/** What an independent program computed for `image`. */
interface Reference {
  readonly argmax: number;
  readonly sum: number;
  readonly max: number;
  /** The first logits, rounded to 5 digits. */
  readonly first20: readonly number[];
}

const size = 227;

/** `pixel(row, column, channel)` for each pixel of an image; channels are in the order of the argument. */
function image(pixel: (value: number, channel: number) => number, channels: readonly number[]) {
  const values = new Float32Array(size * size * 3);
  for (let i = 0; i < values.length; i++) {
    const [row, column] = [Math.floor(i / (3 * size)), Math.floor(i / 3) % size];
    const channel = channels[i % 3] ?? 0;
    values[i] = pixel((row * 7 + column * 13 + channel * 29) % 256, channel);
  }
  return tensor(values, { shape: [1, size, size, 3] });
}

const blueGreenRed = [0, 1, 2];
const redGreenBlue = [2, 1, 0];

describe.skipIf(sharedData("squeezenet") === undefined)(
  "SqueezeNet with its authors' weights (skipped where the shared data are absent)",
  () => {
    const read = async (): Promise<TorchState> => {
      const path = sharedData("squeezenet", squeezenetCompressedWeights.fileName) ?? "";
      return decodeSafetensors(await readFile(path)).tensors;
    };

    const check = async (what: string, model: SqueezeNet, x: Tensor): Promise<void> => {
      const path = sharedData("squeezenet", "reference.json") ?? "";
      const reference = JSON.parse(await readFile(path, "utf8")) as Reference;
      using _scope = openScope();
      const logits = Float64Array.from(await noGrad(() => model.forward(x)).data());
      const found = {
        first20: [...logits.slice(0, 20)],
        totals: [logits.reduce((a, b) => a + b, 0), Math.max(...logits)],
      };
      const off = found.first20.map((v, i) => Math.abs(v - (reference.first20[i] ?? NaN)));
      process.stdout.write(
        `${what}: first 20 logits off by at most ${Math.max(...off).toExponential(1)} (rounded to 5e-6), ` +
          `the largest ${found.totals[1] ?? NaN} for ${reference.max}, their sum ${found.totals[0] ?? NaN} for ${reference.sum}\n`,
      );
      expect(logits.indexOf(Math.max(...logits))).toBe(reference.argmax);
      expectClose(found.first20, reference.first20, 2e-5, "first 20 logits");
      expectClose(found.totals, [reference.sum, reference.max], 2e-6, "sum and maximum");
    };

    test("as they are: B, G, R minus the mean colour", async () => {
      const rename = squeezenetCompressedWeights.rename ?? String;
      const model = build(squeezenet1_0({ classifierPadding: 1 })).eval();
      importStateDict(model, new Map(Array.from(await read(), ([name, t]) => [rename(name), t])));
      const mean = squeezenetCompressedWeights.preprocessing.mean;
      await check(
        "SqueezeNet, B, G, R",
        model,
        image((value, channel) => value - (mean[channel] ?? NaN), blueGreenRed),
      );
    });

    const normalized = (value: number, channel: number): number =>
      (value / 255 - (imagenetStats.mean[2 - channel] ?? NaN)) /
      (imagenetStats.std[2 - channel] ?? NaN);

    test("as pretrained: R, G, B by imagenetStats, with the padding that they were trained with", async () => {
      const model = build(squeezenet1_0({ pretrained: await read() })).eval();
      await check("SqueezeNet, R, G, B", model, image(normalized, redGreenBlue));
    });

    test("as pretrained, names what does not fit as the file has it", async () => {
      const state = new Map(await read());
      state.delete("conv1.bias");
      state.set("conv1.weight", { dtype: "F32", shape: [1], data: new Float32Array(1) });
      state.set("fire2/conv1x1_1.bias", { dtype: "F32", shape: [2], data: new Float32Array(2) });
      expect(() => squeezenet1_0({ pretrained: state })).toThrow(
        "squeezenet1_0: the state does not fit the network: missing features.0.bias; of another shape conv1.weight [1] for [96, 3, 7, 7], fire2/conv1x1_1.bias [2] for [16]. Load squeezenet1_0-b66bff10.pth or",
      );
    });

    test("loadPretrained recognizes them, folds once, and says so", async () => {
      const state = await read();
      const model = build(createVisionModel(squeezenet1_0, { numClasses: 2, pretrained: state }));
      expect(String(model.pretrained)).toMatchInlineSnapshot(`
        "squeezenet1_0, from tensors named as in squeezenet1_0-imagenet.safetensors
          loaded: 50: 0.0.0.weight, 0.0.0.bias, 0.0.3.squeeze.weight, 0.0.3.squeeze.bias, ...
          missing: none
          unexpected: none
          of another shape: none
          left out: 2: conv_final.weight, conv_final.bias
          new in the head: 12: 1.2.weight, 1.2.bias, 1.2.running_mean, 1.2.running_var, ...
          changed: features.0: made for R, G, B in 0..1 normalized by imagenetStats instead of B, G, R in 0..255 minus (104, 117, 123) over (1, 1, 1)"
      `);
      expect(model.normalization).toBe(imagenetStats);
      const whole = build(squeezenet1_0({ pretrained: state })).eval();
      using _scope = openScope();
      const x = image(normalized, redGreenBlue);
      const [expected, found] = noGrad(() => [whole.features.forward(x), model.body.forward(x)]);
      expect(await found.data()).toEqual(await expected.data());
    });
  },
);
