/** @file From a folder of pictures to predictions, and what an exported model keeps. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Resize } from "../../data/index.ts";
import { decodePng, getImageFiles, imagesOf, ImageDataLoaders } from "../../data/node.ts";
import { manualSeed, noGrad, randomUniform } from "../../engine/index.ts";
import { accuracy, errorRate, Linear, linesOnly, squeezenet1_0 } from "../../nn/index.ts";
import { ClassificationInterpretation } from "../../vision/index.ts";
import {
  cnnLearner,
  loadLearner,
  plotConfusionMatrix,
  plotTopLosses,
  type CnnLearner,
} from "../../vision/node.ts";
import { topLossImages } from "../../vision/interpretation/pictures.ts";
import { useDevice } from "../device.ts";
import { isRed, twoColours } from "./pictures.ts";

useDevice();

let folder = "";
let dls: ImageDataLoaders;
let learn: CnnLearner;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wgrad-vision-"));
  manualSeed(1);
  const images = await twoColours(folder, 40);
  dls = await ImageDataLoaders.fromNameFunc(images, await getImageFiles(images), {
    ...{ validPct: 0.25, seed: 42, bs: 10, labelFunc: isRed },
    itemTfms: [new Resize(32)],
  });
  learn = await cnnLearner(dls, squeezenet1_0, {
    ...{ pretrained: false, metrics: [errorRate, accuracy], progress: linesOnly(() => undefined) },
  });
  await learn.fitOneCycle(3, 3e-3);
}, 120_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

describe("a learner on pictures", () => {
  test("learns, with metrics given by name", () => {
    const row = learn.recorder.rows.at(-1);
    expect(row?.metrics).toHaveLength(2);
    expect(row?.metrics[1]).toBeCloseTo(1 - (row?.metrics[0] ?? NaN));
  });

  test("predicts from a path, bytes, pixels, and lists of them, in their order", async () => {
    const files = dls.valid.items as readonly string[];
    const [file = ""] = files;
    const one = await learn.predict(file);
    expect(one.label).toBe(learn.vocab[one.index]);
    expect(one.probabilities.reduce((a, b) => a + b)).toBeCloseTo(1);
    const bytes = await learn.predict(new Uint8Array(await readFile(file)));
    expect([...bytes.probabilities]).toEqual([...one.probabilities]);
    const many = await learn.predict(files, { bs: 3 });
    expect(many).toHaveLength(files.length);
    many[0]?.probabilities.forEach((p, i) => {
      expect(p).toBeCloseTo(one.probabilities[i] ?? NaN, 5);
    });
    expect(await learn.predict([])).toEqual([]);
    await expect(learn.predict(join(folder, "missing.png"))).rejects.toThrow(/missing\.png/);
  });

  test("comes back from its folder without the label function", async () => {
    const out = join(folder, "model");
    await learn.export(out);
    const loaded = await loadLearner(out);
    expect(loaded.vocab).toEqual([false, true]);
    const files = dls.valid.items as readonly string[];
    const [before, after] = [await learn.predict(files), await loaded.predict(files)];
    expect(after.map(({ probabilities }) => [...probabilities])).toEqual(
      before.map(({ probabilities }) => [...probabilities]),
    );
  });

  test("says in its ONNX file what onnxruntime cannot know, and gives the same results there", async () => {
    const file = join(folder, "model.onnx");
    await learn.exportOnnx(file);
    const text = (await readFile(file)).toString("latin1");
    expect(text).toContain('"Resize","settings":{"size":[32,32],"method":"crop"');
    expect(text).toContain('["false","true"]');
    const x = noGrad(() => randomUniform([2, 32, 32, 3]));
    const pixels = await x.data();
    learn.model.eval();
    const own = await noGrad(() => learn.model.forward(x)).data();
    const planes = Float32Array.from({ length: pixels.length }, (_, i) => {
      const [image, rest] = [Math.floor(i / 3072), i % 3072];
      return pixels[image * 3072 + (rest % 1024) * 3 + Math.floor(rest / 1024)] ?? 0;
    });
    const session = await InferenceSession.create(file);
    const { logits } = await session.run({ image: new OnnxTensor(planes, [2, 3, 32, 32]) });
    const theirs = logits?.data as Float32Array;
    const difference = Math.max(...own.map((value, i) => Math.abs(value - (theirs[i] ?? NaN))));
    const worst = difference / Math.max(...own.map(Math.abs));
    console.log(
      `SqueezeNet with fastai's head against onnxruntime, largest difference over the largest logit: ${worst.toExponential(1)}`,
    );
    expect(worst).toBeLessThan(1e-5);
  });

  test("refuses folders that hold no model", async () => {
    await expect(loadLearner(join(folder, "images"))).rejects.toThrow(/cannot be read.*export/s);
    const wrong = join(folder, "wrong");
    await mkdir(wrong);
    await writeFile(join(wrong, "model.json"), '{"format": "else"}');
    await expect(loadLearner(wrong)).rejects.toThrow(/format is "else"/);
    await learn.export(wrong);
    const model = new Linear({ inFeatures: 1, outFeatures: 1 });
    await expect(loadLearner(wrong, { model })).rejects.toThrow(
      /loadLearner: .*model\.safetensors: the state does not fit Linear: missing weight.*of one export/,
    );
  });
});

describe("what a classifier gets wrong", () => {
  const logits = (rows: number[][], targets: number[]) => ({
    predictions: Float32Array.from(rows.flat()),
    shape: [3],
    targets: Float32Array.from(targets),
  });
  const interpretation = new ClassificationInterpretation(
    logits(
      [
        [5, 0, 0],
        [0, 4, 1],
        [0, 3, 1],
        [0, 200, 0],
      ],
      [0, 1, 2, 0],
    ),
    ["ant", "bee", "cat"],
  );

  test("counts, pairs and losses", () => {
    expect(interpretation.confusionMatrix()).toEqual([
      [1, 1, 0],
      [0, 1, 0],
      [0, 1, 0],
    ]);
    expect(interpretation.mostConfused()).toEqual([
      { actual: "ant", predicted: "bee", count: 1 },
      { actual: "cat", predicted: "bee", count: 1 },
    ]);
    const [worst, next] = interpretation.topLosses(2);
    expect(worst).toMatchObject({ item: 3, loss: 200, predictedProbability: 1 });
    expect(next?.loss).toBeCloseTo(Math.log(1 + Math.exp(3) + Math.exp(1)) - 1);
    expect(interpretation.topLosses(1, { largest: false })[0]?.item).toBe(0);
  });

  test("says it in words", () => {
    expect(String(interpretation)).toMatchInlineSnapshot(`
      "4 images, 2 wrong (50.00 %)

              predicted
      actual ant  bee  cat
      ant     [1]   1    .
      bee      .   [1]   .
      cat      .    1   [0]

      most confused
        1 x ant taken for bee
        1 x cat taken for bee

      top losses
          loss  predicted  actual    image
        200.00  bee 1.00   ant 0.00  number 3
          2.17  bee 0.84   cat 0.11  number 2
          0.07  bee 0.94   bee 0.94  number 1
          0.01  ant 0.99   ant 0.99  number 0"
    `);
  });

  test("says it in words of 37 classes, and of more", () => {
    const perfect = (classes: number) => {
      const rows = Array.from({ length: 2 * classes }, (_, i) => {
        const predicted = i === 1 ? 36 : i % classes;
        return Array.from({ length: classes }, (_, j) => (j === predicted ? 9 : 0));
      });
      const targets = rows.map((_, i) => i % classes);
      return new ClassificationInterpretation(
        {
          ...logits(rows, targets),
          shape: [classes],
          items: rows.map((_, i) => `images/${i}.jpg`),
        },
        targets.slice(0, classes).map((i) => `breed_${i}`),
      );
    };
    const lines = String(perfect(37)).split("\n");
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThan(180);
    expect(lines.slice(0, 6).map((line) => line.replace(/ +/g, " "))).toEqual([
      "74 images, 1 wrong (1.35 %)",
      "",
      " predicted",
      `actual ${Array.from({ length: 37 }, (_, i) => i).join(" ")}`,
      ` 0 breed_0 [2]${" .".repeat(36)}`,
      ` 1 breed_1 . [1]${" .".repeat(34)} 1`,
    ]);
    expect(lines.slice(-11)).toMatchInlineSnapshot(`
      [
        "",
        "most confused",
        "  1 x breed_1 taken for breed_36",
        "",
        "top losses",
        "  loss  predicted      actual        image",
        "  9.00  breed_36 1.00  breed_1 0.00  images/1.jpg",
        "  0.00  breed_0 1.00   breed_0 1.00  images/0.jpg",
        "  0.00  breed_2 1.00   breed_2 1.00  images/2.jpg",
        "  0.00  breed_3 1.00   breed_3 1.00  images/3.jpg",
        "  0.00  breed_4 1.00   breed_4 1.00  images/4.jpg",
      ]
    `);
    const many = String(perfect(41));
    expect(many).not.toContain("[2]");
    expect(many).toContain("1 x breed_1 taken for breed_36");
    expect(many.split("\n")).toHaveLength(12);
    expect(perfect(41).topLossesText().split("\n")).toHaveLength(11);
  });

  test("names the images of the loader that was judged", async () => {
    for (const loader of [dls.train, dls.valid]) {
      const own = new ClassificationInterpretation(await learn.getPreds(loader), learn.vocab);
      expect(own.images).toHaveLength(loader === dls.train ? 30 : 10);
      for (const { file = "", actual } of own.images) {
        expect(isRed(basename(file))).toBe(own.nameOf(actual));
        expect(loader.items).toContain(file);
      }
    }
  });

  test("shows these images in their order, with their titles", async () => {
    const own = new ClassificationInterpretation(await learn.getPreds(dls.train), learn.vocab);
    const tiles = await topLossImages(own, dls, 5);
    expect(tiles).toHaveLength(5);
    for (const [i, judged] of own.topLosses(5).entries()) {
      const { predicted, actual, predictedProbability, actualProbability, loss } = judged;
      expect(tiles[i]?.title).toEqual([
        { text: String(own.nameOf(predicted)), number: predictedProbability.toFixed(2) },
        { text: `is ${String(own.nameOf(actual))}`, number: actualProbability.toFixed(2) },
        { text: "loss", number: loss.toFixed(2) },
      ]);
      const [wanted] = await imagesOf(dls, await dls.testLoader([judged.file ?? ""]).oneBatch());
      expect(tiles[i]?.image).toEqual(wanted?.image);
    }
  });

  test("draws them, the worst first", async () => {
    const colours = [
      [250, 20, 20],
      [20, 250, 20],
      [20, 20, 250],
      [250, 250, 20],
    ] as const;
    const items = colours.map((colour) => ({
      ...{ width: 32, height: 32 },
      data: Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => colour[i % 3] ?? 0),
    }));
    const rows = [2, 4, 1, 3].map((loss) => [loss, 0]);
    const own = new ClassificationInterpretation(
      {
        predictions: Float32Array.from(rows.flat()),
        shape: [2],
        targets: new Float32Array(4).fill(1),
        items,
      },
      ["no", "yes"],
    );
    const { width, height, data } = decodePng(await plotTopLosses(own, dls, 4));
    const quarters = [0.3, 0.8].flatMap((y) =>
      [0.25, 0.75].map((x) => {
        const at =
          (Math.floor(y * height) * width + Math.floor(x * width)) * (data.length / width / height);
        return colours.findIndex((colour) =>
          colour.every((value, c) => Math.abs(value - (data[at + c] ?? NaN)) < 4),
        );
      }),
    );
    expect(quarters).toEqual([1, 3, 0, 2]);
    expect(own.images[0]).not.toHaveProperty("file");
  });

  test("draws the confusion matrix", async () => {
    const { width, height, data } = decodePng(await plotConfusionMatrix(interpretation));
    expect(Math.min(width, height)).toBeGreaterThan(100);
    expect(new Set(data).size).toBeGreaterThan(20);
  });

  test("shows nothing where it is not known which images were judged", async () => {
    await expect(plotTopLosses(interpretation, dls)).rejects.toThrow(
      "plotTopLosses: it is not known which images were judged: items undefined.",
    );
    const own = new ClassificationInterpretation(await learn.getPreds(), learn.vocab);
    await expect(plotTopLosses(own, dls, 0)).rejects.toThrow("there is nothing to show: count 0");
    const wrong = { ...logits([[1, 2, 3]], [0]), items: ["a.png", "b.png"] };
    expect(() => new ClassificationInterpretation(wrong, ["a", "b", "c"])).toThrow(
      "there are not as many images as predictions: 2 and 1",
    );
  });

  const judge = (rows: number[][], targets: number[], vocab: readonly string[]) => () =>
    new ClassificationInterpretation(logits(rows, targets), vocab);

  test("refuses scores that are not one for each class", () => {
    expect(judge([[1, 2, 3]], [0], ["a", "b"])).toThrow(
      /shape \[1, 3\] for 1 targets of 2 classes/,
    );
    expect(judge([[1, 2, 3]], [0, 1], ["a", "b", "c"])).toThrow(/shape \[1, 3\] for 2 targets/);
    expect(judge([], [], ["a", "b", "c"])).toThrow(/0 images.*validPct 0/);
  });

  test("refuses models that diverged, and images without labels", () => {
    const vocab = ["a", "b", "c"];
    const good = [1, 2, 3];
    expect(judge([good, [NaN, NaN, NaN]], [0, 1], vocab)).toThrow(
      /image 1 are NaN or infinite: NaN/,
    );
    expect(judge([[1, Infinity, 3]], [0], vocab)).toThrow(/image 0 are NaN or infinite: 1, Inf/);
    expect(judge([good, good], [0, -1], vocab)).toThrow(
      /target of image 1 is no class: -1.*labels/,
    );
    expect(judge([good], [3], vocab)).toThrow(/is no class: 3/);
  });
});
