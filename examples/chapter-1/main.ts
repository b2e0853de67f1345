/**
 * @file The program of the fastai book's first chapter: cats or dogs? A pretrained network is fine-tuned on photos, judged, exported, and asked
 * about a picture. Without options it downloads the pets (800 MB) and ResNet-34's weights (83 MB). Killed, it goes on with `--resume`.
 */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { augTransforms, Resize } from "../../data/index.ts";
import { getImageFiles, ImageDataLoaders, untarData, URLs } from "../../data/node.ts";
import { manualSeed } from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { Checkpointer, errorRate, type Checkpoint } from "../../nn/index.ts";
import { ClassificationInterpretation } from "../../vision/index.ts";
import {
  cnnLearner,
  plotConfusionMatrix,
  plotLosses,
  plotLrFind,
  plotTopLosses,
  readCheckpoint,
  writeCheckpoint,
  type CnnLearner,
} from "../../vision/node.ts";
import { printAdapter, runProgram } from "../program.ts";
import { readOptions, type ChapterOptions } from "./options.ts";

/** In the pets, names of cats begin with a capital. */
const isCat = (name: string): boolean => /^\p{Lu}/u.test(name);

async function loadImages(options: ChapterOptions): Promise<ImageDataLoaders> {
  const { images, labels, size, batchSize: bs } = options;
  const path = images ?? join(await untarData(URLs.PETS), "images");
  const transforms = { itemTfms: [new Resize(size)], batchTfms: augTransforms() };
  if (labels === "folder") return ImageDataLoaders.fromFolder(path, { ...transforms, bs });
  return ImageDataLoaders.fromNameFunc(path, await getImageFiles(path), {
    ...{ validPct: 0.2, seed: 42, labelFunc: isCat, bs },
    ...transforms,
  });
}

/** Pretrained weights are fine-tuned; random ones are trained as a whole. */
async function train(learn: CnnLearner, options: ChapterOptions): Promise<void> {
  const { epochs, resume, weights, out } = options;
  const file = join(out, "checkpoint.safetensors");
  const write = (checkpoint: Checkpoint): Promise<void> => writeCheckpoint(file, checkpoint);
  const callbacks = [new Checkpointer({ write })];
  if (resume) learn.resume(await readCheckpoint(file));
  if (weights === false) await learn.fitOneCycle(epochs, undefined, { callbacks });
  else await learn.fineTune(epochs, undefined, { callbacks });
}

/** What the model gets wrong, as text and as pictures. */
async function judge(learn: CnnLearner, dls: ImageDataLoaders, out: string): Promise<void> {
  const interpretation = new ClassificationInterpretation(await learn.getPreds(), learn.vocab);
  console.log(String(interpretation));
  await writeFile(join(out, "losses.png"), await plotLosses(learn));
  await writeFile(join(out, "confusion.png"), await plotConfusionMatrix(interpretation));
  await writeFile(join(out, "top-losses.png"), await plotTopLosses(interpretation, dls));
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const { arch, weights, out } = options;
  await using device = await openNodeDevice();
  printAdapter(device);
  manualSeed(42);

  const dls = await loadImages(options);
  await mkdir(out, { recursive: true });
  await dls.showBatch({ file: join(out, "batch.png") });
  const learn = await cnnLearner(dls, arch, { pretrained: weights, metrics: [errorRate] });
  console.log(await dls.summary());
  if (options.lrFind) {
    const found = await learn.lrFind();
    await writeFile(join(out, "lr-find.png"), await plotLrFind(found));
    console.log(`Learning rates: valley ${found.valley.toExponential(1)}, see lr-find.png.`);
  }
  await train(learn, options);
  await judge(learn, dls, out);

  await learn.export(join(out, "model"));
  await learn.exportOnnx(join(out, "model.onnx"));
  const [picture = ""] = dls.valid.items.filter((item) => typeof item === "string");
  const { label, probabilities } = await learn.predict(picture);
  const percent = (100 * Math.max(...probabilities)).toFixed(1);
  console.log(`${picture}: ${String(label)}, ${percent} %`);
  console.log(`In ${out}: ${["batch", "losses", "confusion", "top-losses"].join(".png, ")}.png,`);
  console.log("model/, model.onnx, checkpoint.safetensors.");
}

await runProgram(main);
