/**
 * @file A ResNet-20 on CIFAR-10, from random weights. On a few thousand images it learns them by heart, and the run says when that begins.
 * Without options it downloads all 60,000 images (135 MB).
 *
 * FOLDER of `--images`: CLASS/ with pictures, a fifth of which validate; with train/ and test/ in it, these. Of `--strips`: see `unpackStrips`.
 */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { augTransforms, cifarStats } from "../../data/index.ts";
import { ImageDataLoaders, untarData, URLs } from "../../data/node.ts";
import { crossEntropy, manualSeed } from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { accuracy, cifarResnet20, Learner, SaveBest } from "../../nn/index.ts";
import { terminalProgress } from "../../nn/node.ts";
import { ClassificationInterpretation } from "../../vision/index.ts";
import { plotConfusionMatrix, plotLosses } from "../../vision/node.ts";
import { printAdapter, runProgram, withUsage } from "../program.ts";
import { unpackStrips } from "./strips.ts";

const usage = `node tools/run.mjs examples/cifar/main.ts [--images FOLDER | --strips FOLDER]
  [--epochs 20] [--bs 64] [--lr 3e-3] [--augment] [--out runs/cifar]`;

function parse() {
  return parseArgs({
    options: {
      ...{ images: { type: "string" }, strips: { type: "string" } },
      epochs: { type: "string", default: "20" },
      bs: { type: "string", default: "64" },
      lr: { type: "string", default: "3e-3" },
      augment: { type: "boolean", default: false },
      out: { type: "string", default: join("runs", "cifar") },
    },
  }).values;
}

type CifarOptions = ReturnType<typeof parse>;

/** The folder with the pictures. */
async function findImages({ images, strips, out }: CifarOptions): Promise<string> {
  if (strips === undefined) return images ?? untarData(URLs.CIFAR);
  const folder = join(out, "images");
  console.log(`Unpacked into ${folder}: ${await unpackStrips(strips, folder)} images.`);
  return folder;
}

async function loadImages(options: CifarOptions): Promise<ImageDataLoaders> {
  const path = await findImages(options);
  const isSplit = existsSync(join(path, "train")) && existsSync(join(path, "test"));
  const dls = await ImageDataLoaders.fromFolder(path, {
    ...(isSplit ? { valid: "test" } : { validPct: 0.2 }),
    ...{ seed: 42, bs: Number(options.bs), batchTfms: options.augment ? augTransforms() : [] },
  });
  dls.addNormalize(cifarStats);
  return dls;
}

async function main(): Promise<void> {
  const options = withUsage(usage, parse);
  const { out, epochs, lr } = options;
  await using device = await openNodeDevice();
  printAdapter(device);
  manualSeed(42);
  await mkdir(out, { recursive: true });
  const dls = await loadImages(options);
  await dls.showBatch({ file: join(out, "batch.png") });
  console.log(await dls.summary());

  const learn = new Learner({
    ...{ train: dls.train, valid: dls.valid, model: cifarResnet20(), loss: crossEntropy },
    ...{ metrics: [accuracy], callbacks: [new SaveBest()], progress: await terminalProgress() },
  });
  await learn.fitOneCycle(Number(epochs), Number(lr));

  const interpretation = new ClassificationInterpretation(await learn.getPreds(), dls.vocab);
  console.log(String(interpretation));
  await writeFile(join(out, "losses.png"), await plotLosses(learn));
  await writeFile(join(out, "confusion.png"), await plotConfusionMatrix(interpretation));
  console.log(`In ${out}: batch.png, losses.png, confusion.png.`);
}

await runProgram(main);
