/**
 * @file The program of the fastai book's first chapter: cats or dogs? A pretrained network is fine-tuned on photos, judged, exported, and asked
 * about a picture. Without options it downloads the pets (800 MB) and ResNet-34's weights (83 MB).
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { augTransforms, Resize } from "../../data/index.ts";
import { getImageFiles, ImageDataLoaders, untarData, URLs } from "../../data/node.ts";
import { manualSeed } from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { errorRate, resnet34, squeezenet1_0 } from "../../nn/index.ts";
import { ClassificationInterpretation } from "../../vision/index.ts";
import { cnnLearner, plotConfusionMatrix, plotTopLosses } from "../../vision/node.ts";

const { values: options } = parseArgs({
  options: {
    images: { type: "string" },
    arch: { type: "string", default: "resnet34" },
    weights: { type: "string" },
    size: { type: "string", default: "224" },
    bs: { type: "string", default: "64" },
    epochs: { type: "string", default: "1" },
    out: { type: "string", default: join("runs", "chapter-1") },
  },
});

await using device = await openNodeDevice();
console.log(`Adapter: ${device.adapter.description}`);
manualSeed(42);

/** In the pets, names of cats begin with a capital. */
const isCat = (name: string): boolean => /^\p{Lu}/u.test(name);

const path = options.images ?? join(await untarData(URLs.PETS), "images");
const dls = await ImageDataLoaders.fromNameFunc(path, await getImageFiles(path), {
  ...{ validPct: 0.2, seed: 42, labelFunc: isCat, bs: Number(options.bs) },
  itemTfms: [new Resize(Number(options.size))],
  batchTfms: augTransforms(),
});
await mkdir(options.out, { recursive: true });
await dls.showBatch({ file: join(options.out, "batch.png") });

const arch = options.arch === "squeezenet1_0" ? squeezenet1_0 : resnet34;
const learn = await cnnLearner(dls, arch, {
  pretrained: options.weights ?? true,
  metrics: [errorRate],
});
console.log(await dls.summary());
await learn.fineTune(Number(options.epochs));

const interpretation = new ClassificationInterpretation(await learn.getPreds(), learn.vocab);
console.log(String(interpretation));
const [confusion, losses] = [
  await plotConfusionMatrix(interpretation),
  await plotTopLosses(interpretation, dls),
];
await writeFile(join(options.out, "confusion.png"), confusion);
await writeFile(join(options.out, "top-losses.png"), losses);

await learn.export(join(options.out, "model"));
await learn.exportOnnx(join(options.out, "model.onnx"));
const [picture = ""] = dls.valid.items.filter((item) => typeof item === "string");
const { label, probabilities } = await learn.predict(picture);
console.log(
  `${picture} shows a ${label === true ? "cat" : "dog"}: ${Math.max(...probabilities).toFixed(4)}`,
);
console.log(`In ${options.out}: batch.png, confusion.png, top-losses.png, model/, model.onnx.`);
