/**
 * @file Checkpoints: everything that a run needs to go on as if it had never ended, as plain data. Taking one and putting it back; where
 * it is written is up to the program.
 */
import {
  ArgumentError,
  defaultGenerator,
  setRequiresGrad,
  type Generator,
  type GeneratorState,
} from "../../engine/index.ts";
import { Module } from "../module.ts";
import {
  exportStateDict,
  importStateDict,
  type HostState,
  type ImportableState,
} from "../state-dict.ts";
import { exportTrainingState, importTrainingState, type TrainingEntry } from "../training-state.ts";
import type { CallbackState, SavedCallbackState } from "./callback.ts";
import { describeValue, isObject } from "./check-arguments.ts";
import type { Learner } from "./learner.ts";
import type { FitCall } from "./policies.ts";

/** How far a fit has come. All counts are of finished work. */
export interface FitPlace {
  /** Epochs of this fit. */
  readonly epoch: number;
  /** Training batches of the epoch after those. */
  readonly iteration: number;
  /** Training batches of this fit. */
  readonly step: number;
  /** Epochs of all fits; the index of the training loader. */
  readonly epochsSeen: number;
}

/** What JSON can hold; it goes into a file's metadata by `JSON.stringify`. */
export interface CheckpointProgress {
  readonly version: 2;
  /** The fit that was under way; null between fits. */
  readonly fit: FitCall | null;
  /** Which fit of the call: 0, and 1 for the second one of `fineTune`. */
  readonly stage: number;
  readonly place: FitPlace;
  /** Training batches in an epoch. */
  readonly batches: number;
  /** The training loader's `datasetSize` and `fingerprint`; null where it has none. */
  readonly samples: number | null;
  readonly fingerprint: string | null;
  /** Whether each parameter is trained, in the optimizer's order. */
  readonly trainable: readonly boolean[];
  /** The default generator, then those of the option `generators`. */
  readonly generators: readonly GeneratorState[];
  /** The numbers of the callbacks, by their names. */
  readonly callbacks: Readonly<Record<string, unknown>>;
}

/**
 * All there is to resume a run: tensors for a safetensors file, and JSON for its metadata. Names begin with `model.`, which are
 * PyTorch's, `training.`, see `exportTrainingState`, and `callback.`.
 *
 * ```ts
 * const bytes = encodeSafetensors(checkpoint.tensors, { progress: JSON.stringify(checkpoint.progress) });
 * ```
 */
export interface Checkpoint {
  readonly tensors: ReadonlyMap<string, HostState | TrainingEntry>;
  readonly progress: CheckpointProgress;
}

/** A checkpoint that comes from a file. */
export interface StoredCheckpoint {
  readonly tensors: ReadonlyMap<string, ImportableState>;
  readonly progress: CheckpointProgress;
}

/** What a checkpoint says besides the learner's own state. */
export type FitState = Pick<CheckpointProgress, "fit" | "stage" | "place"> & {
  readonly callbacks: ReadonlyMap<string, SavedCallbackState>;
};

/** What of a checkpoint waits until its fit is called again. */
export interface ResumePoint extends Omit<FitState, "callbacks"> {
  readonly callbacks: ReadonlyMap<string, CallbackState>;
  /** Puts the generators back where they were. */
  restoreRandom(): void;
}

/** @throws ArgumentError when the model is no `Module`, whose buffers nobody knows. */
export function requireModule(op: string, { model }: Learner): Module {
  if (model instanceof Module) return model;
  throw new ArgumentError(
    op,
    "the model is no Module, so its buffers are not known",
    "Derive it from Module",
  );
}

/** Copies the state of a learner to the host. */
export async function takeCheckpoint(learner: Learner, fit: FitState): Promise<Checkpoint> {
  const { optimizer, scaler, train } = learner;
  const { callbacks, ...progress } = fit;
  // Everything is asked for before the first wait, so that it shows one moment.
  const reading = Promise.all([
    exportStateDict(requireModule("checkpoint", learner)),
    exportTrainingState({ optimizer, scaler }),
  ]);
  const json = Object.fromEntries([...callbacks].map(([name, { json }]) => [name, json]));
  const own = {
    version: 2 as const,
    ...progress,
    batches: train.length,
    samples: train.datasetSize ?? null,
    fingerprint: train.fingerprint ?? null,
    trainable: optimizer.parameters.map(({ requiresGrad }) => requiresGrad),
    generators: generatorsOf(learner).map(({ state }) => state),
    callbacks: json,
  };
  const ofCallbacks = [...callbacks].flatMap(([name, { tensors = new Map<string, never>() }]) =>
    prefixed(`callback.${name}.`, tensors),
  );
  const [model, training] = await reading;
  const entries = [...prefixed("model.", model), ...prefixed("training.", training)];
  return { tensors: new Map([...entries, ...ofCallbacks]), progress: own };
}

/**
 * Puts the state of a checkpoint into a learner; what is left is for the fit.
 * @throws ArgumentError when this is no checkpoint, or model, optimizer, scaler or training data are others than those of the checkpoint.
 */
export function restoreCheckpoint(learner: Learner, checkpoint: StoredCheckpoint): ResumePoint {
  checkIsCheckpoint(checkpoint);
  const { tensors, progress } = checkpoint;
  const { optimizer, scaler } = learner;
  checkFits(learner, checkpoint);
  importStateDict(requireModule("resume", learner), part(tensors, "model."));
  importTrainingState(part(tensors, "training."), { optimizer, scaler });
  optimizer.parameters.forEach((parameter, i) => {
    setRequiresGrad(parameter, progress.trainable[i] ?? true);
  });
  const restoreRandom = (): void => {
    generatorsOf(learner).forEach((generator, i) => {
      generator.state = progress.generators[i] ?? generator.state;
    });
  };
  restoreRandom();
  learner.epochsSeen = progress.place.epochsSeen;
  const { fit, stage, place } = progress;
  const callbacks = Object.entries(progress.callbacks).map(([name, json]) => {
    return [name, { json, tensors: part(tensors, `callback.${name}.`) }] as const;
  });
  return { fit, stage, place, callbacks: new Map(callbacks), restoreRandom };
}

function checkIsCheckpoint(value: unknown): void {
  const { tensors, progress } = (isObject(value) ? value : {}) as Record<string, unknown>;
  if (tensors instanceof Map && isObject(progress)) return;
  throw new ArgumentError(
    "resume",
    `this is no checkpoint: ${describeValue(value)}`,
    "Pass what learner.checkpoint() or readCheckpoint(file) gives, awaited",
  );
}

function checkFits(learner: Learner, { tensors, progress }: StoredCheckpoint): void {
  const { optimizer, train, scaler } = learner;
  const refuse = (what: string, fix: string): never => {
    throw new ArgumentError("resume", what, fix);
  };
  if ((progress.version as number) !== 2) {
    refuse(
      `the checkpoint has an unknown version: ${String(progress.version)}`,
      "Use one of this version of wgrad, 2",
    );
  }
  const pairs = [
    ["parameters", progress.trainable.length, optimizer.parameters.length],
    ["batches in an epoch", progress.batches, train.length],
    ["samples to train on", progress.samples, train.datasetSize ?? null],
    ["random generators", progress.generators.length, generatorsOf(learner).length],
  ] as const;
  for (const [what, saved, own] of pairs) {
    if (saved === own) continue;
    refuse(
      `the checkpoint has ${String(saved)} ${what}, the learner ${String(own)}`,
      "Make the learner as it was",
    );
  }
  if (progress.fingerprint !== (train.fingerprint ?? null)) {
    refuse(
      `the training data are others: then ${describe(progress.fingerprint)}; now ${describe(train.fingerprint)}`,
      "Make the loader as it was, with the same samples, split and seed",
    );
  }
  if (scaler === undefined && tensors.has("training.GradScaler.scale")) {
    refuse("the checkpoint is of mixed precision", "Call learner.toFp16() before");
  }
}

function describe(fingerprint: string | null | undefined): string {
  return fingerprint ?? "a loader without a fingerprint";
}

function generatorsOf({ generators }: Learner): readonly Generator[] {
  return [defaultGenerator(), ...generators];
}

function prefixed<T>(prefix: string, entries: ReadonlyMap<string, T>): [string, T][] {
  return Array.from(entries, ([name, entry]) => [prefix + name, entry]);
}

/** The entries whose names begin so, without the beginning. */
function part<T>(entries: ReadonlyMap<string, T>, prefix: string): Map<string, T> {
  const own = [...entries].filter(([name]) => name.startsWith(prefix));
  return new Map(own.map(([name, entry]) => [name.slice(prefix.length), entry]));
}
