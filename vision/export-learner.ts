/** @file A trained model as a folder of two files, and back. Node only. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ImageDataLoaders, readSafetensors, writeSafetensors } from "../data/node.ts";
import { ArgumentError } from "../engine/index.ts";
import {
  assemble,
  describeLearner,
  type Exportable,
  type ExportOptions,
  type LoadLearnerOptions,
} from "./exported-model.ts";
import { modelFiles, parseModelCard } from "./model-card.ts";
import { notWritten } from "./not-written.ts";
import type { Predictor } from "./predictor.ts";

/**
 * Writes a trained model into a folder: `model.safetensors` with the weights, by PyTorch's names, and `model.json` with everything else
 * that predictions need: architecture, classes, transforms, statistics. Nothing of the training set, and no code: the label function
 * is not needed to predict. The folder is made if it is missing; files in it are replaced when the new ones are complete.
 *
 * The text is read back before anything is written: what `loadLearner` would refuse is refused here.
 *
 * @throws ArgumentError when the folder cannot be written, or the transforms do not come back from their settings as they are.
 */
export async function exportLearner(
  learner: Exportable,
  folder: string,
  options: ExportOptions = {},
): Promise<void> {
  const { card, state } = await describeLearner(learner, options);
  try {
    await mkdir(folder, { recursive: true });
    const [weights, text] = [join(folder, modelFiles.weights), join(folder, modelFiles.card)];
    await writeSafetensors(`${weights}.part`, state);
    await writeFile(`${text}.part`, card);
    await rename(`${weights}.part`, weights);
    await rename(`${text}.part`, text);
  } catch (error) {
    throw await notWritten("export", folder, "folder", error);
  }
}

/**
 * Reads what `learner.export` wrote, ready to predict.
 *
 * ```ts
 * const predictor = await loadLearner("cats");
 * const { label } = await predictor.predict("cat.jpg");
 * ```
 * In a browser, `decodeLearner` of wgrad/vision takes what was fetched.
 *
 * @throws ArgumentError when a file is missing, damaged, or does not fit the model.
 */
export async function loadLearner(
  folder: string,
  options: LoadLearnerOptions = {},
): Promise<Predictor> {
  const [cardName, weightsName] = [join(folder, modelFiles.card), join(folder, modelFiles.weights)];
  const card = parseModelCard(cardName, await readText(cardName));
  const { tensors } = await readSafetensors(weightsName);
  return assemble(
    { card, tensors, weightsName },
    (settings) => ImageDataLoaders.pipelineFromSettings(settings, options.makers),
    options,
  );
}

async function readText(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError(
      "loadLearner",
      `the file cannot be read: ${reason}`,
      "Pass the folder that learner.export wrote",
    );
  }
}
