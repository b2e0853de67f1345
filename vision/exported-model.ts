/** @file An exported model as a text and bytes, wherever they are kept: the halves of `exportLearner` and `loadLearner` that need no files. */
import {
  decodeSafetensors,
  encodeSafetensors,
  ImagePipeline,
  type Json,
  type TransformMakers,
} from "../data/index.ts";
import { ArgumentError } from "../engine/index.ts";
import {
  exportStateDict,
  importStateDict,
  type HostState,
  type Module,
  type TorchState,
  type VisionModel,
} from "../nn/index.ts";
import { checkSettings } from "./check-settings.ts";
import {
  modelCard,
  modelFiles,
  modelOfCard,
  parseModelCard,
  type ModelCard,
} from "./model-card.ts";
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

export interface LoadLearnerOptions {
  /** The model to load the weights into, for architectures and heads of one's own. Default: built as `model.json` says. */
  readonly model?: Module;
  /** Makes transforms that are not part of wgrad. */
  readonly makers?: TransformMakers;
}

/** What is in the two files of an exported model. */
export interface ExportedModel {
  /** The text of `model.json`: architecture, classes, transforms, statistics. */
  readonly card: string;
  /** The bytes of `model.safetensors`: the weights, by PyTorch's names. */
  readonly weights: Uint8Array<ArrayBuffer>;
}

/**
 * A trained model with all that predictions need, to be kept anywhere. In Node, `learner.export(folder)` writes it to files.
 *
 * @throws ArgumentError when the transforms do not come back from their settings as they are.
 */
export async function encodeLearner(
  learner: Exportable,
  options: ExportOptions = {},
): Promise<ExportedModel> {
  const { card, state } = await describeLearner(learner, options);
  return { card, weights: encodeSafetensors(state) };
}

/**
 * What `encodeLearner` or `learner.export` gave, ready to predict, also in a browser:
 *
 * ```ts
 * const card = await (await fetch("cats/model.json")).text();
 * const weights = new Uint8Array(await (await fetch("cats/model.safetensors")).arrayBuffer());
 * const predictor = decodeLearner({ card, weights });
 * const { label } = await predictor.predict({ width, height, data }); // RGB bytes, of a canvas for example
 * ```
 * Images are pixels; in Node, `loadLearner` decodes files too.
 *
 * @throws ArgumentError when the two are damaged or do not fit each other or the model.
 */
export function decodeLearner(
  { card, weights }: ExportedModel,
  options: LoadLearnerOptions = {},
): Predictor {
  const parsed = parseModelCard(modelFiles.card, card);
  const { tensors } = decodeSafetensors(weights);
  const { makers = {} } = options;
  return assemble(
    { card: parsed, tensors, weightsName: modelFiles.weights },
    (settings) => ImagePipeline.fromSettings(settings, { makers }),
    options,
  );
}

/** Text and weights of `encodeLearner`, for who writes them. The text is read back: what could not be loaded is refused. */
export async function describeLearner(
  { model, dls }: Exportable,
  { onWarning = defaultWarning }: ExportOptions,
): Promise<{ readonly card: string; readonly state: ReadonlyMap<string, HostState> }> {
  const card = `${JSON.stringify(modelCard(model, dls), null, 2)}\n`;
  const warning = checkSettings(dls.settings(), parseModelCard(modelFiles.card, card).pipeline);
  if (warning !== undefined) onWarning(warning);
  return { card, state: await exportStateDict(model) };
}

function defaultWarning(text: string): void {
  console.warn(`wgrad: ${text}`);
}

/** What was read, and the name that errors give the weights. */
export interface ReadModel {
  readonly card: ModelCard;
  readonly tensors: TorchState;
  readonly weightsName: string;
}

/** The model that a card describes, with its weights, and the pipeline that `makePipeline` makes of its settings. */
export function assemble(
  { card, tensors, weightsName }: ReadModel,
  makePipeline: (settings: Json) => ImagePipeline,
  options: LoadLearnerOptions,
): Predictor {
  const pipeline = makePipeline(card.pipeline);
  const model = options.model ?? modelOfCard(card);
  importWeights(model, tensors, weightsName);
  model.eval();
  return new Predictor(model, pipeline);
}

function importWeights(model: Module, tensors: TorchState, name: string): void {
  try {
    importStateDict(model, tensors);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const fix =
      "Use model.json and model.safetensors of one export, and the model that was exported";
    throw new ArgumentError("loadLearner", `${name}: ${error.problem}`, fix);
  }
}
