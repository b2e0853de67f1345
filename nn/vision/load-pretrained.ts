/** @file Published weights into a vision model, with an account of what happened to every tensor. */
import { ArgumentError } from "../../engine/index.ts";
import { importStateDict, torchShapes } from "../state-dict.ts";
import type { Architecture } from "./architectures.ts";
import { describeMismatch, describeShapes, type Misshaped } from "./mismatch.ts";
import { matchState, prepareState, type Match, type TorchState } from "./prepare-pretrained.ts";
import type { Pretrained } from "./pretrained.ts";
import type { VisionModel } from "./vision-model.ts";
import { checkState } from "./whole-network.ts";

/** What became of every tensor of the state and of the model. */
export interface PretrainedReport {
  /** The published weights whose names the state has; undefined for a state with the model's own names. */
  readonly source: Pretrained | undefined;
  /** Names of the model whose values came from the state. */
  readonly loaded: readonly string[];
  /** What the body needs and the state lacks, by the names of the file; `num_batches_tracked` of old files is no error. */
  readonly missing: readonly string[];
  /** Names of the state that the model has no place for. */
  readonly unexpected: readonly string[];
  /** By the names of the state. */
  readonly misshaped: readonly Misshaped[];
  /** Names of the state that belong to the classifier that was cut off. */
  readonly leftOut: readonly string[];
  /** Names of the head that keep the values that they had. */
  readonly newInHead: readonly string[];
  /** How weights were changed to fit this model and images like all others, in words. */
  readonly changes: readonly string[];
  /** All of it as text, lists of more than a few names shortened. */
  toString(): string;
}

export interface LoadPretrainedOptions {
  /** False: load what fits, and only report what is missing, unexpected or of another shape. Default: true. */
  readonly strict?: boolean;
}

/**
 * Writes published weights into the body of a vision model. It takes the names of torchvision, those of the files in
 * `Architecture.pretrained`, or the model's own (`0.4.0.conv1.weight`, as fastai saves them; then the head is loaded, too). Weights of
 * the classifier that was cut off are left out.
 *
 * Afterwards the model takes R, G, B in 0..1 normalized by `imagenetStats`, whatever the weights were trained with, and
 * `model.normalization` says so; other numbers of channels than 3 are adapted as `adaptInChannels` says.
 *
 * @param state in PyTorch's axis order; half floats must be widened before.
 * @throws ArgumentError listing every name that is missing in the body, unexpected or of another shape, as the file has it; the model
 * is then unchanged.
 * @throws DTypeError for bit patterns.
 */
export function loadPretrained(
  model: VisionModel,
  state: TorchState,
  { strict = true }: LoadPretrainedOptions = {},
): PretrainedReport {
  const { architecture, inChannels } = model;
  checkState("loadPretrained", architecture.name, state);
  const shapes = torchShapes(model);
  const torchName = (name: string): string => nameInTorch(architecture, name);
  const target = { published: architecture, inChannels, shapes, torchName };
  const match = matchState(target, state);
  const fate = fateOf(architecture, match);
  if (strict) refuse(architecture, fate);
  const prepared = prepareState("loadPretrained", target, match);
  importStateDict(model, prepared.state, { strict: false });
  const parts = { ...fate, changes: prepared.changes };
  model.pretrained = { ...parts, toString: () => describe(architecture.name, parts) };
  return model.pretrained;
}

/** `0.4.0.conv1.weight` becomes `layer1.0.conv1.weight`; names of the head stay. */
function nameInTorch({ bodyNames }: Architecture, name: string): string {
  for (const [theirs, ours] of bodyNames)
    if (name.startsWith(`0.${ours}.`)) return theirs + name.slice(2 + ours.length);
  return name;
}

/** What becomes of every name. */
type Fate = Omit<PretrainedReport, "changes" | "toString">;

function fateOf({ classifier }: Architecture, { source, mismatch, fitting }: Match): Fate {
  const { missing, unexpected, misshaped } = mismatch;
  const isCutOff = (key: string): boolean =>
    (source?.rename?.(key) ?? key).startsWith(`${classifier}.`);
  const isHead = (key: string): boolean => key.startsWith("1.");
  return {
    ...{ source, loaded: [...fitting.keys()], misshaped },
    missing: missing.filter((key) => !isHead(key)),
    unexpected: unexpected.filter((key) => !isCutOff(key)),
    leftOut: unexpected.filter(isCutOff),
    newInHead: missing.filter(isHead),
  };
}

/** Throws `ArgumentError` where the body would not be as it was trained. */
function refuse({ name, pretrained }: Architecture, fate: Fate): void {
  const problem = describeMismatch(fate);
  if (problem === undefined) return;
  throw new ArgumentError(
    "loadPretrained",
    `the state does not fit the body of ${name}: ${problem}`,
    `Load ${pretrained.map(({ fileName }) => fileName).join(" or ")}, or a state of this network`,
  );
}

function describe(model: string, report: Omit<PretrainedReport, "toString">): string {
  const { source, changes } = report;
  const lines = [
    ["loaded", few(report.loaded)],
    ["missing", few(report.missing)],
    ["unexpected", few(report.unexpected)],
    ["of another shape", few(report.misshaped.map(describeShapes))],
    ["left out", few(report.leftOut)],
    ["new in the head", few(report.newInHead)],
    ...changes.map((change) => ["changed", change] as const),
  ] as const;
  const names = source === undefined ? "the model" : source.fileName;
  return [
    `${model}, from tensors named as in ${names}`,
    ...lines.map(([what, text]) => `  ${what}: ${text}`),
  ].join("\n");
}

/** `218: a, b, c, ...`. */
function few(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const shown = names.slice(0, 4).join(", ");
  return `${names.length}: ${shown}${names.length > 4 ? ", ..." : ""}`;
}
