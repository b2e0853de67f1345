/** @file Exported models in another process: whatever transforms they were trained with, predictions are the same bits. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  augTransforms,
  RandomErasing,
  RandomResizedCrop,
  Resize,
  type BatchTransform,
  type ItemTransform,
} from "../../data/index.ts";
import { getImageFiles, ImageDataLoaders, type ImageDataLoadersOptions } from "../../data/node.ts";
import { manualSeed } from "../../engine/index.ts";
import { linesOnly, squeezenet1_0 } from "../../nn/index.ts";
import type { Prediction } from "../../vision/index.ts";
import { cnnLearner, exportLearner, loadLearner, type CnnLearner } from "../../vision/node.ts";
import { useDevice } from "../device.ts";
import { isRed, twoColours } from "./pictures.ts";

useDevice();

let folder = "";
let images = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wgrad-export-"));
  images = await twoColours(folder, 12);
});

afterAll(() => rm(folder, { recursive: true, force: true }));

async function learnerOf(options: ImageDataLoadersOptions): Promise<CnnLearner> {
  manualSeed(1);
  const dls = await ImageDataLoaders.fromNameFunc(images, await getImageFiles(images), {
    ...{ seed: 42, bs: 5, labelFunc: isRed, ...options },
  });
  return cnnLearner(dls, squeezenet1_0, {
    ...{ pretrained: false, progress: linesOnly(() => undefined) },
  });
}

/** What a process that knows nothing but the folders predicts, with each model: label, index, probabilities of all files. */
async function predictionsOfChild(folders: readonly string[], files: readonly string[]) {
  const script = `
    import { openNodeDevice } from "./engine/node.ts";
    import { loadLearner } from "./vision/node.ts";
    const [folders, files] = JSON.parse(process.argv[1]);
    const device = await openNodeDevice();
    const results = [];
    for (const folder of folders) {
      const all = await (await loadLearner(folder)).predict(files);
      results.push(all.map((p) => [p.label, p.index, ...p.probabilities]));
    }
    console.log("RESULT" + JSON.stringify(results));
    await device.close();`;
  const flags = ["--import", "./tools/register.mjs", "--input-type=module", "-e", script];
  const args = [...flags, JSON.stringify([folders, files])];
  const { stdout } = await promisify(execFile)(process.execPath, args);
  return JSON.parse(/^RESULT(.*)$/m.exec(stdout)?.[1] ?? "null") as unknown;
}

function plain(predictions: readonly Prediction[]): unknown {
  return predictions.map(({ label, index, probabilities }) => [label, index, ...probabilities]);
}

const itemTransform: ItemTransform = {
  ...{ name: "Mine", settings: { side: 32 } },
  place: ({ width, height }) => ({
    ...{ box: { left: 0, top: 0, width, height }, resized: { width: 32, height: 32 } },
  }),
};
const batchTransform: BatchTransform = {
  ...{ name: "Sepia", settings: {}, order: 40, trainingOnly: false },
  apply: (x) => x,
};

describe("an exported model", () => {
  test("predicts the same in another process, whatever its transforms", async () => {
    const pipelines: readonly ImageDataLoadersOptions[] = [
      { itemTfms: [new Resize(40)], batchTfms: augTransforms({ size: 32, padMode: "border" }) },
      {
        itemTfms: [new Resize([40, 36])],
        batchTfms: [...augTransforms({ size: [32, 34], minScale: 0.75 }), new RandomErasing()],
      },
      { itemTfms: [new RandomResizedCrop(32, { minScale: 0.5, valXtra: 0.2 })] },
      { itemTfms: [new Resize(32, { method: "pad", padMode: "border" })], applyExif: true },
    ];
    const files = await getImageFiles(images);
    const [folders, own]: [string[], unknown[]] = [[], []];
    for (const [i, options] of pipelines.entries()) {
      const learn = await learnerOf(options);
      if (i === 0) await learn.fit(1, 1e-3);
      folders.push(join(folder, `model-${i}`));
      await learn.export(join(folder, `model-${i}`));
      own.push(plain(await learn.predict(files)));
    }
    expect(await predictionsOfChild(folders, files)).toEqual(own);
  }, 120_000);

  test("says which transforms of one's own loadLearner has to be given", async () => {
    const learn = await learnerOf({ itemTfms: [itemTransform], batchTfms: [batchTransform] });
    const out = join(folder, "own");
    const warnings: string[] = [];
    await exportLearner(learn, out, { onWarning: (text) => warnings.push(text) });
    expect(warnings).toEqual([
      "prediction needs transforms that are not part of wgrad: Mine, Sepia. Load the model with " +
        "loadLearner(folder, { makers: { itemTfms: { Mine: (settings) => ... }, batchTfms: { Sepia: (settings) => ... } } })",
    ]);
    await expect(loadLearner(out)).rejects.toThrow('the transform "Mine" is unknown');
    const makers = {
      itemTfms: { Mine: () => itemTransform },
      batchTfms: { Sepia: () => batchTransform },
    };
    const files = await getImageFiles(images);
    const loaded = await loadLearner(out, { makers });
    expect(plain(await loaded.predict(files))).toEqual(plain(await learn.predict(files)));
  });

  test("has a result for each class", async () => {
    const dls = await ImageDataLoaders.fromFolder(folder, {
      ...{ validPct: 0.25, itemTfms: [itemTransform], onWarning: () => undefined },
    });
    await expect(
      cnnLearner(dls, squeezenet1_0, { pretrained: false, numClasses: 5 }),
    ).rejects.toThrow(
      "visionLearner: the model's results are not as many as the classes: 5 for an image, 1 in the vocab",
    );
    const learn = await learnerOf({ itemTfms: [new Resize(32)] });
    const out = join(folder, "classes");
    await learn.export(out);
    const card = await readFile(join(out, "model.json"), "utf8");
    await writeFile(join(out, "model.json"), card.replace('"numClasses": 2', '"numClasses": 3'));
    await expect(loadLearner(out)).rejects.toThrow(
      "loadLearner: the model's results are not as many",
    );
  });

  test("is not written where a file has the folder's name", async () => {
    const learn = await learnerOf({ itemTfms: [new Resize(32)] });
    const file = join(folder, "file");
    await writeFile(file, "");
    await expect(learn.export(file)).rejects.toThrow(
      `export: the model cannot be written, there is a file of this name: ${file}. Pass the path of a folder`,
    );
  });

  test("is not written when its settings would not come back", async () => {
    const out = join(folder, "wrong");
    const odd = { ...itemTransform, name: "Resize", settings: { size: [32, 32], side: 3 } };
    await expect((await learnerOf({ itemTfms: [odd] })).export(out)).rejects.toThrow(
      /^export: the settings do not come back as they are: .*"side":3/,
    );
    expect(await readdir(folder)).not.toContain("wrong");
  });
});
