/** @file A trained model as a folder of two files, and back. Node only. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readSafetensors, writeSafetensors } from "../data/node.ts";
import { ImageDataLoaders } from "../data/node.ts";
import type { TransformMakers } from "../data/index.ts";
import { ArgumentError } from "../engine/index.ts";
import {
  exportStateDict,
  importStateDict,
  type Module,
  type TorchState,
  type VisionModel,
} from "../nn/index.ts";
import { checkSettings } from "./check-settings.ts";
import { modelCard, modelFiles, modelOfCard, parseModelCard } from "./model-card.ts";
import { notWritten } from "./not-written.ts";
import { Predictor, type PredictionData } from "./predictor.ts";

/** What can be exported: a `VisionLearner`, or a model with its data. */
export interface Exportable {
  readonly model: VisionModel;
  readonly dls: PredictionData;
}

export interface ExportOptions {
  /**
   * Told when `loadLearner` will have to be given makers, because prediction needs transforms that are not part of wgrad. The model is
   * written nevertheless: a training of hours should not be lost for them. Default: `console.warn`.
   */
  readonly onWarning?: (text: string) => void;
}

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
  { model, dls }: Exportable,
  folder: string,
  { onWarning = defaultWarning }: ExportOptions = {},
): Promise<void> {
  const card = `${JSON.stringify(modelCard(model, dls), null, 2)}\n`;
  const warning = checkSettings(dls.settings(), parseModelCard(modelFiles.card, card).pipeline);
  if (warning !== undefined) onWarning(warning);
  const state = await exportStateDict(model);
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

function defaultWarning(text: string): void {
  console.warn(`wgrad: ${text}`);
}

export interface LoadLearnerOptions {
  /** The model to load the weights into, for architectures and heads of one's own. Default: built as `model.json` says. */
  readonly model?: Module;
  /** Makes transforms that are not part of wgrad. */
  readonly makers?: TransformMakers;
}

/**
 * Reads what `learner.export` wrote, ready to predict.
 *
 * ```ts
 * const predictor = await loadLearner("cats");
 * const { label } = await predictor.predict("cat.jpg");
 * ```
 * @throws ArgumentError when a file is missing, damaged, or does not fit the model.
 */
export async function loadLearner(
  folder: string,
  options: LoadLearnerOptions = {},
): Promise<Predictor> {
  const cardFile = join(folder, modelFiles.card);
  const card = parseModelCard(cardFile, await readText(cardFile));
  const pipeline = ImageDataLoaders.pipelineFromSettings(card.pipeline, options.makers);
  const model = options.model ?? modelOfCard(card);
  const weightsFile = join(folder, modelFiles.weights);
  const { tensors } = await readSafetensors(weightsFile);
  loadInto(model, tensors, weightsFile);
  model.eval();
  return new Predictor(model, pipeline);
}

function loadInto(model: Module, tensors: TorchState, file: string): void {
  try {
    importStateDict(model, tensors);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const fix =
      "Use model.json and model.safetensors of one export, and the model that was exported";
    throw new ArgumentError("loadLearner", `${file}: ${error.problem}`, fix);
  }
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
