/** @file ImageDataLoaders: every way to make them, their warnings and errors, their summary, settings and pictures. */
import { readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import {
  augTransforms,
  cifarStats,
  ImagePipeline,
  imagenetStats,
  Normalize,
  RandomResizedCrop,
  Resize,
  type BatchTransform,
  type Json,
  type Label,
} from "../../../data/index.ts";
import {
  decodePng,
  getImageFiles,
  ImageDataLoaders,
  type ImageDataLoadersOptions,
} from "../../../data/node.ts";
import { crossEntropy } from "../../../engine/index.ts";
import { accuracy, Flatten, Learner, Linear, linesOnly, Sequential } from "../../../nn/index.ts";
import { useDevice } from "../../device.ts";
import { sharedData } from "../../shared-data.ts";
import { noise, plain, pngOf, put, temporaryFolder } from "./images.ts";

useDevice();
const folder = temporaryFolder();
const isCat = (name: string) => /^[A-Z]/.test(name);

/** `pets/`: 12 files of the classes Cat and dog; `sets/{train,valid}/{cat,dog}/`: 3 + 2 files of each. */
beforeAll(async () => {
  for (let i = 0; i < 12; i++) {
    const name = i % 3 === 0 ? `Bengal_cat_${i}.png` : `basset_hound_${i}.png`;
    await put(folder, `pets/${name}`, await pngOf(noise(20 + i, 30, i)));
  }
  for (const [part, count] of [
    ["train", 3],
    ["valid", 2],
  ] as const) {
    for (const kind of ["cat", "dog"]) {
      for (let i = 0; i < count; i++) {
        await put(folder, `sets/${part}/${kind}/${i}.png`, await pngOf(noise(9, 9, i)));
      }
    }
  }
});

/** Warnings are collected, not printed. */
function quiet(options: ImageDataLoadersOptions = {}) {
  const warnings: string[] = [];
  const onWarning = (text: string) => {
    warnings.push(text);
  };
  return { warnings, options: { bs: 4, itemTfms: [new Resize(8)], onWarning, ...options } };
}

async function pets(options: ImageDataLoadersOptions = {}) {
  const path = join(folder, "pets");
  const files = await getImageFiles(path);
  const common = { ...quiet().options, ...options };
  return ImageDataLoaders.fromNameFunc(path, files, { seed: 42, labelFunc: isCat, ...common });
}

describe("ImageDataLoaders", () => {
  it("labels by names, with a split as fastai makes it", async () => {
    const dls = await pets();
    expect(dls.vocab).toEqual([false, true]);
    expect([dls.train.datasetSize, dls.valid.datasetSize]).toEqual([10, 2]);
    expect([dls.train.length, dls.valid.length]).toEqual([2, 1]);
    for (const loader of [dls.train, dls.valid]) {
      loader.items.forEach((file, i) => {
        expect(loader.labels?.[i]).toBe(isCat(basename(file as string)) ? 1 : 0);
      });
    }
    const { x, y, size } = await dls.oneBatch();
    expect([x.shape, y.shape, size]).toEqual([[4, 8, 8, 3], [4], 4]);
    expect(dls.warnings).toEqual([]);
  });

  it("labels by paths, patterns, folders and lists", async () => {
    const path = join(folder, "pets");
    const files = await getImageFiles(path);
    const { options } = quiet();
    const byPattern = await ImageDataLoaders.fromNameRegex(path, files, {
      ...{ ...options, pattern: /^(.+)_\d+/g },
    });
    expect(byPattern.vocab).toEqual(["Bengal_cat", "basset_hound"]);
    const labelFunc = (file: string) => file.startsWith(folder);
    const byPath = await ImageDataLoaders.fromPathFunc(path, files, { ...options, labelFunc });
    expect(byPath.vocab).toEqual([true]);
    const byFolder = await ImageDataLoaders.fromFolder(join(folder, "sets"), options);
    expect(byFolder.vocab).toEqual(["cat", "dog"]);
    expect([byFolder.train.datasetSize, byFolder.valid.datasetSize]).toEqual([6, 4]);
    const split = { ...options, validPct: 0.5, seed: 1 };
    const bySeed = await ImageDataLoaders.fromFolder(join(folder, "sets"), split);
    expect([bySeed.train.datasetSize, bySeed.valid.datasetSize]).toEqual([5, 5]);
    const labels = files.map((_, i) => i % 2);
    const byList = await ImageDataLoaders.fromLists(path, files, labels, options);
    expect(byList.vocab).toEqual([0, 1]);
  });

  it("reads names and labels from a table", async () => {
    const path = join(folder, "pets");
    const names = (await getImageFiles(path)).map((file) => basename(file, ".png"));
    const rows = names.map((name, i) => `${name},${10 - (i % 2)},${i > 8 ? "True" : "False"}`);
    await writeFile(
      join(folder, "labels.csv"),
      `\ufeffname,kind,is_valid\r\n${rows.join("\r\n")}\r\n`,
    );
    const columns = { fnCol: "name", labelCol: "kind", validCol: "is_valid" };
    const table = { ...columns, folder: "pets", suff: ".png" };
    const dls = await ImageDataLoaders.fromCsv(folder, { ...quiet().options, ...table });
    expect(dls.vocab).toEqual([9, 10]);
    expect([dls.train.datasetSize, dls.valid.datasetSize]).toEqual([9, 3]);
    const { x } = await dls.oneBatch();
    expect(x.shape).toEqual([4, 8, 8, 3]);
    await expect(ImageDataLoaders.fromCsv(folder, { ...table, labelCol: "breed" })).rejects.toThrow(
      /row 1 of .*labels.csv has no column breed: 3 fields, titles name, kind/,
    );
    await expect(ImageDataLoaders.fromCsv(folder, { csvFname: "none.csv" })).rejects.toThrow(
      "the table cannot be read: ENOENT",
    );
  });

  it("reads absolute paths from a table, and in which way it says what validates", async () => {
    const [first = "", ...others] = await getImageFiles(join(folder, "pets"));
    const kinds = ["YES", "no", "True", "FALSE", "1", "0", "", " yes ", "No", "true", "false", "0"];
    const rows = [first, ...others].map((file, i) => `${file},${i % 2},${kinds[i] ?? ""}`);
    const path = join(folder, "tables");
    const read = async (lines: readonly string[]) => {
      await put(path, "t.csv", Buffer.from(lines.join("\n")));
      const table = { csvFname: "t.csv", header: false, validCol: 2 };
      return ImageDataLoaders.fromCsv(path, { ...quiet().options, ...table });
    };
    const dls = await read(rows);
    expect(dls.valid.items).toEqual([0, 2, 4, 7, 9].map((i) => [first, ...others][i]));
    await expect(read([...rows, `${first},0,maybe`])).rejects.toThrow(
      `fromCsv: row 13 of ${join(path, "t.csv")} does not say whether the file validates: "maybe"`,
    );
  });

  it("takes a vocabulary and a splitter of one's own", async () => {
    const everyThird = (items: readonly string[]) => {
      const indices = items.map((_, i) => i);
      const part = (wanted: boolean) =>
        Uint32Array.from(indices.filter((i) => (i % 3 === 0) === wanted));
      return { train: part(false), valid: part(true) };
    };
    const dls = await pets({ splitter: everyThird, vocab: [true, false] });
    expect([dls.train.datasetSize, dls.valid.datasetSize]).toEqual([8, 4]);
    expect(dls.vocab).toEqual([true, false]);
  });

  it("can train without shuffling, with other sizes of batches in validation", async () => {
    const dls = await pets({ shuffle: false, valBs: 1 });
    expect([...dls.train.order(3)]).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    expect(dls.valid.length).toBe(2);
  });
});

describe("errors", () => {
  const files = ["x/cat1.png", "x/dog2.png", "x/cat3.png", "x/dog4.png", "x/cat5.png"];
  const make = (labelFunc: (name: string) => Label, options: ImageDataLoadersOptions = {}) =>
    ImageDataLoaders.fromNameFunc("x", files, { labelFunc, ...quiet().options, ...options });

  it("name the file at which the label function fails, or returns nothing", async () => {
    const failing = (name: string) => {
      if (name.startsWith("dog4")) throw new Error("too many dogs");
      return name;
    };
    await expect(make(failing)).rejects.toThrow(
      "the label function failed for x/dog4.png: too many dogs",
    );
    const nothing: unknown = () => undefined;
    await expect(make(nothing as () => Label)).rejects.toThrow(
      "the label function returned no label for x/cat1.png: undefined",
    );
    await expect(ImageDataLoaders.fromNameRegex("x", files, { pattern: /(cat)/ })).rejects.toThrow(
      'the label function failed for x/dog2.png: regexLabel: /(cat)/ finds no group 1 in "dog2.png"',
    );
  });

  it("name file and label of a class that only validates", async () => {
    const splitter = () => ({ train: Uint32Array.of(0, 2), valid: Uint32Array.of(1) });
    await expect(make((name) => name.slice(0, 3), { splitter })).rejects.toThrow(
      'the label "dog" of x/dog2.png is not among the 1 classes of the training set: cat',
    );
  });

  it("say that there are no images, labels or training images", async () => {
    await expect(ImageDataLoaders.fromLists("x", [], [])).rejects.toThrow(
      "there are no images: 0 files of x",
    );
    await expect(ImageDataLoaders.fromLists("x", files, [1])).rejects.toThrow(
      "files and labels differ in number: 5 and 1",
    );
    const splitter = () => ({ train: new Uint32Array(), valid: Uint32Array.of(1) });
    await expect(make(() => 1, { splitter })).rejects.toThrow("no image of x is for training");
    await expect(ImageDataLoaders.fromFolder(join(folder, "pets"))).rejects.toThrow(
      `the folder ${join(folder, "pets", "train")} cannot be read`,
    );
  });

  it("name what is no list of transforms", async () => {
    const resize: unknown = new Resize(8);
    const wrong: readonly (readonly [object, string])[] = [
      [{ itemTfms: resize }, "itemTfms is no list: Resize. Use a list, for example itemTfms: ["],
      [{ itemTfms: [flip] }, "itemTfms has what is no transform of that kind: Object"],
      [{ batchTfms: [resize] }, "batchTfms has what is no transform of that kind: Resize"],
      [{ batchTfms: [augTransforms()] }, "batchTfms has a list in the list, which lacks its ..."],
    ];
    for (const [options, message] of wrong) {
      await expect(make((name) => name.slice(0, 3), options)).rejects.toThrow(message);
    }
  });

  it("name the file that cannot be decoded", async () => {
    const bad = await put(folder, "broken/a.png", Buffer.from("no"));
    const dls = await ImageDataLoaders.fromLists(folder, [bad], ["a"], { ...quiet().options });
    await expect(dls.oneBatch()).rejects.toThrow(`decodeImage: ${bad} is damaged`);
  });
});

describe("warnings", () => {
  it("are given for one class, no validation, few images, repeated and unused ones", async () => {
    const { warnings, options } = quiet({ bs: 64, validPct: 0 });
    const dls = await ImageDataLoaders.fromLists("x", ["a", "b", "a"], ["c", "c", "c"], options);
    expect(dls.warnings).toEqual(warnings);
    expect(warnings).toEqual([
      "there is only one class, c: a model has nothing to tell apart. Look at the label function",
      "there are no images for validation: nothing will be measured",
      "there are fewer training images than a batch has: 3 of 64. They make one smaller batch",
      "a file occurs more than once, so that it may both train and validate: a",
    ]);
    expect([dls.train.length, dls.train.dropLast]).toEqual([1, false]);
    const splitter = () => ({ train: Uint32Array.of(0), valid: Uint32Array.of(1) });
    const other = quiet({ bs: 1, splitter });
    await ImageDataLoaders.fromLists("x", ["a", "b", "d"], ["c", "c", "e"], other.options);
    expect(other.warnings[1]).toBe("files that neither train nor validate: 1, the first is d");
    const single = "a training batch has one image: batch norm behind pooling makes it the same";
    expect(other.warnings[2]).toContain(single);
    const few = quiet({ bs: 4, splitter });
    await ImageDataLoaders.fromLists("x", ["a", "b"], ["c", "c"], few.options);
    expect(few.warnings.at(-1)).toContain(single);
  });
});

const flip: BatchTransform = {
  ...{ name: "Flip", order: 30, trainingOnly: true, settings: { p: 0.5 } },
  apply: (x) => x,
};

describe("transforms", () => {
  it("are shown with their settings, one normalisation among them", async () => {
    const dls = await pets({ batchTfms: [flip] });
    expect(await dls.summary()).toContain("Normalisation: none, pixels from 0 to 1");
    dls.addNormalize(imagenetStats);
    dls.addNormalize(imagenetStats);
    const text = (await dls.summary()).replaceAll(folder, "");
    expect(text).toMatchInlineSnapshot(`
      "Images of /pets: 10 train, 2 validate
      2 classes: false, true

      Training: 2 batches of 4, shuffled with seed 42, without the last one if it is not full; positions random
        1. decode: RGB, 8 bits a channel
        2. each image: Resize (size [8,8], method "crop", padMode "reflection")
        3. batch: bytes to f32, divided by 255
        4. batch: Flip (p 0.5), order 30
        5. batch: Normalize (mean [0.485,0.456,0.406], std [0.229,0.224,0.225]), order 99
        batch: x f32[4, 8, 8, 3], y i32[4]

      Validation and prediction: 1 batch of 4, in order; positions fixed
        1. decode: RGB, 8 bits a channel
        2. each image: Resize (size [8,8], method "crop", padMode "reflection")
        3. batch: bytes to f32, divided by 255
        4. batch: Normalize (mean [0.485,0.456,0.406], std [0.229,0.224,0.225]), order 99
        batch: x f32[2, 8, 8, 3], y i32[2]

      Normalisation: once, (mean [0.485,0.456,0.406], std [0.229,0.224,0.225])
      "
    `);
    expect(() => {
      dls.addNormalize(cifarStats);
    }).toThrow("the images are normalised already, with other statistics");
    await expect(
      pets({ batchTfms: [new Normalize(imagenetStats), new Normalize(imagenetStats)] }),
    ).rejects.toThrow("the images would be normalised 2 times");
  });

  it("are written down and read back for prediction, without the label function", async () => {
    const dls = await pets({
      batchTfms: [flip],
      itemTfms: [
        new RandomResizedCrop(16, { minScale: 0.5 }),
        new Resize([8, 6], { method: "pad" }),
      ],
      ...{ applyExif: true, maxPixels: 1e6, exactResize: true },
    });
    dls.addNormalize(imagenetStats);
    const text = JSON.stringify(dls.settings());
    const pipeline = ImageDataLoaders.pipelineFromSettings(JSON.parse(text) as Json);
    expect(pipeline.vocab).toEqual([false, true]);
    expect(pipeline.batchTfms.map(({ name }) => name)).toEqual(["Normalize"]);
    expect(pipeline.decoding).toEqual({ applyExif: true, maxPixels: 1e6, exactResize: true });
    expect(await dls.summary()).toContain(
      "1. decode: RGB, 8 bits a channel (applyExif true, maxPixels 1000000, exactResize true)\n",
    );
    const files = dls.valid.items;
    const ours = await pipeline.testLoader(files).oneBatch();
    const theirs = await dls.valid.oneBatch();
    expect(ours.x.shape).toEqual([2, 8, 6, 3]);
    expect(await ours.x.data()).toEqual(await theirs.x.data());
    expect([...(await ours.y.data())]).toEqual([-1, -1]);
  });

  it("that are unknown, or no settings at all, are refused", async () => {
    const settings = (await pets()).settings();
    const own = { ...(settings as object), batchTfms: [{ name: "Sepia", settings: {} }] };
    expect(() => ImageDataLoaders.pipelineFromSettings(own)).toThrow(
      'the transform "Sepia" is unknown; known are ResizeBatch, Normalize',
    );
    const makers = {
      batchTfms: { Sepia: () => ({ ...flip, name: "Sepia", trainingOnly: false }) },
    };
    const pipeline = ImageDataLoaders.pipelineFromSettings(own, makers);
    expect(pipeline.batchTfms.map(({ name }) => name)).toEqual(["Sepia"]);
    const resize = { name: "ResizeBatch", settings: { size: [8, 0], mode: "bilinear" } };
    const edited = { ...(settings as object), batchTfms: [resize] };
    expect(() => ImageDataLoaders.pipelineFromSettings(edited)).toThrow(/size \[8, 0\]/);
    for (const wrong of [null, 1, [], {}, { format: "other" }]) {
      expect(() => ImagePipeline.fromSettings(wrong)).toThrow("the settings cannot be used");
    }
  });
});

describe("testLoader", () => {
  it("takes paths, bytes and pixels, in their order", async () => {
    const dls = await pets();
    const image = plain(20, 10, [10, 20, 30]);
    const path = await put(folder, "one.png", await pngOf(image));
    const loader = dls.testLoader([path, await pngOf(image), image], { bs: 2 });
    const found: number[] = [];
    for await (const { x, y } of loader.epoch(0)) {
      found.push(...(await x.data()));
      expect(new Set(await y.data())).toEqual(new Set([-1]));
    }
    expect(found.length).toBe(3 * 8 * 8 * 3);
    found.forEach((value, i) => {
      expect(Math.round(255 * value)).toBe([10, 20, 30][i % 3]);
    });
  });
});

describe("a learner", () => {
  it("learns from the loaders which of two colours is which", async () => {
    const path = join(folder, "colours");
    const files = [];
    for (let i = 0; i < 40; i++) {
      const color = i % 2 === 0 ? ([200 + i, i, 0] as const) : ([i, 0, 200 + i] as const);
      files.push(await put(path, `${i % 2}_${i}.png`, await pngOf(plain(12, 9, color))));
    }
    const dls = await ImageDataLoaders.fromNameFunc(path, files, {
      ...{ ...quiet().options, labelFunc: (name) => name.startsWith("0") },
    });
    dls.addNormalize(imagenetStats);
    const learn = new Learner({
      ...{ train: dls.train, valid: dls.valid, loss: crossEntropy, metrics: [accuracy()] },
      model: new Sequential(new Flatten(), new Linear({ inFeatures: 8 * 8 * 3, outFeatures: 2 })),
      progress: linesOnly(() => undefined),
    });
    await learn.fit(4, 0.01);
    expect(learn.recorder.rows.at(-1)?.metrics).toEqual([1]);
  });
});

describe("showBatch", () => {
  it("draws images with their labels, denormalised", async () => {
    const path = join(folder, "plain");
    const files = [];
    for (let i = 0; i < 5; i++) {
      files.push(await put(path, `${i}.png`, await pngOf(plain(200, 200, [200, 100, 50]))));
    }
    const labels = [
      "a & b <c>",
      "a very long name that does not fit above its picture",
      "",
      "1",
      "é",
    ];
    const { options } = quiet({ bs: 4, itemTfms: [new Resize(200)], validPct: 0 });
    const dls = await ImageDataLoaders.fromLists(path, files, labels, options);
    dls.addNormalize(imagenetStats);
    const file = join(folder, "batch.png");
    const bytes = await dls.showBatch({ maxN: 4, file });
    expect(new Uint8Array(await readFile(file))).toEqual(bytes);
    const { width, height, data } = decodePng(bytes);
    // Two columns and two rows of 200, 20 between, 24 around, 30 for titles.
    expect([width, height]).toEqual([468, 528]);
    const pixel = (24 + 30 + 100) * width + 24 + 100;
    expect([...data.subarray(4 * pixel, 4 * pixel + 3)]).toEqual([200, 100, 50]);
    expect([...data.subarray(0, 3)]).toEqual([255, 255, 255]);
  });

  it("shows versions of one image, or validation, or says that there is nothing", async () => {
    const dls = await pets();
    const versions = decodePng(await dls.showBatch({ unique: true, maxN: 3 }));
    const valid = decodePng(await dls.showBatch({ split: "valid" }));
    expect(versions.width).toBe(valid.width);
    expect(versions.height).toBeGreaterThan(valid.height);
    await expect(dls.showBatch({ maxN: 0 })).rejects.toThrow("there is nothing to show: maxN 0");
  });
});

describe("real photos", () => {
  const path = sharedData("pets", "images") ?? "";
  it.skipIf(path === "")("make the first lines of chapter 1", async () => {
    const dls = await ImageDataLoaders.fromNameFunc(path, await getImageFiles(path), {
      ...{ validPct: 0.2, seed: 42, labelFunc: isCat, itemTfms: [new Resize(224)] },
    });
    expect([dls.train.datasetSize, dls.valid.datasetSize]).toEqual([296, 74]);
    const { x } = await dls.oneBatch();
    expect(x.shape).toEqual([64, 224, 224, 3]);
    const pixels = Array.from(await x.data());
    const mean = pixels.reduce((sum, value) => sum + value, 0) / pixels.length;
    expect(mean).toBeGreaterThan(0.35);
    expect(mean).toBeLessThan(0.55);
  });
});
