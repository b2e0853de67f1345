/** @file What an exported model consists of besides its weights: a JSON text that says how to build it and what to feed it. */
import type { Json, Label } from "../data/index.ts";
import { ArgumentError } from "../engine/index.ts";
import {
  architectureNamed,
  createVisionModel,
  type HeadSettings,
  type VisionModel,
} from "../nn/index.ts";
import { checkClasses } from "./check-classes.ts";
import type { PredictionData } from "./predictor.ts";

const format = "wgrad vision model 1";

/** The two files of an exported model. */
export const modelFiles = { card: "model.json", weights: "model.safetensors" } as const;

/** All of an exported model but its weights. */
export interface ModelCard {
  readonly format: string;
  /** Of `architectureNamed`: "resnet34". */
  readonly architecture: string;
  readonly inChannels: number;
  readonly numClasses: number;
  /** How the head was built; null for one of the user's own. */
  readonly head: HeadSettings | null;
  /** Of `ImagePipeline`: classes and transforms. */
  readonly pipeline: Json;
}

/**
 * Describes a model and its data.
 * @throws ArgumentError when the model's results are not as many as the classes.
 */
export function modelCard(model: VisionModel, data: PredictionData): ModelCard {
  const { architecture, inChannels, numClasses, headSettings } = model;
  checkClasses("export", numClasses, data.vocab);
  return {
    format,
    architecture: architecture.name,
    inChannels,
    numClasses,
    head: headSettings ?? null,
    pipeline: data.settings(),
  };
}

/**
 * Reads what `modelCard` gave, as JSON text.
 * @throws ArgumentError when the text is no such, or its model's results are not as many as its classes.
 */
export function parseModelCard(name: string, text: string): ModelCard {
  let card: unknown;
  try {
    card = JSON.parse(text);
  } catch (error) {
    throw notACard(name, error instanceof Error ? error.message : String(error));
  }
  const found = isRecord(card) ? card["format"] : undefined;
  if (!isRecord(card) || found !== format) {
    throw notACard(name, `its format is ${JSON.stringify(found)}, not "${format}"`);
  }
  const { architecture, inChannels, numClasses, head, pipeline } = card;
  const isComplete =
    typeof architecture === "string" &&
    typeof inChannels === "number" &&
    typeof numClasses === "number" &&
    (head === null || isRecord(head)) &&
    isRecord(pipeline);
  if (!isComplete) throw notACard(name, "a member is missing or of another type");
  const { vocab } = pipeline;
  checkClasses("loadLearner", numClasses, Array.isArray(vocab) ? (vocab as Label[]) : []);
  return card as unknown as ModelCard;
}

/**
 * The model that a card describes, with random weights, in evaluation mode.
 * @throws ArgumentError for an unknown architecture, or a head of the user's own.
 */
export function modelOfCard(card: ModelCard): VisionModel {
  const { architecture, inChannels, numClasses, head } = card;
  if (head === null) {
    throw new ArgumentError(
      "loadLearner",
      `the model has a head that wgrad did not build: ${architecture} of ${numClasses} classes`,
      "Build the model as it was built for training, and pass it: loadLearner(folder, { model })",
    );
  }
  const options = { ...head, inChannels, numClasses };
  const model = createVisionModel(architectureNamed(architecture), options);
  model.eval();
  return model;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function notACard(name: string, problem: string): ArgumentError {
  return new ArgumentError(
    "loadLearner",
    `${name} does not describe a model: ${problem}`,
    "Pass the folder that learner.export wrote",
  );
}
