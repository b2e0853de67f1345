/** @file Published weights into a vision model, with an account of what happened to every tensor. */
import { ArgumentError, formatShape, shapesEqual, type Shape } from "../../engine/index.ts";
import {
  checkReadable,
  importStateDict,
  torchShapes,
  type ImportableState,
} from "../state-dict.ts";
import type { Architecture } from "./architectures.ts";
import { adaptInChannels } from "./in-channels.ts";
import { foldPreprocessing, isImagenetStandard } from "./preprocessing.ts";
import type { Pretrained } from "./pretrained.ts";
import type { VisionModel } from "./vision-model.ts";

/** Tensors of a file by name, in PyTorch's axis order. */
export type TorchState = ReadonlyMap<string, ImportableState>;

export interface Misshaped {
  /** The model's name. */
  readonly name: string;
  /** In PyTorch's axis order. */
  readonly expected: Shape;
  /** In PyTorch's axis order. */
  readonly given: Shape;
}

/** What became of every tensor of the state and of the model. */
export interface PretrainedReport {
  /** The published weights whose names the state has; undefined for a state with the model's own names. */
  readonly source: Pretrained | undefined;
  /** Names of the model whose values came from the state. */
  readonly loaded: readonly string[];
  /** Names of the body that the state lacks; `num_batches_tracked` of old files is no error. */
  readonly missing: readonly string[];
  /** Names of the state that the model has no place for. */
  readonly unexpected: readonly string[];
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
 * @throws ArgumentError listing every name that is missing in the body, unexpected or of another shape; the model is then unchanged.
 * @throws DTypeError for bit patterns.
 */
export function loadPretrained(
  model: VisionModel,
  state: TorchState,
  { strict = true }: LoadPretrainedOptions = {},
): PretrainedReport {
  const { architecture, inChannels } = model;
  const source = recognize(architecture, state);
  const prepared = preparePretrained(architecture, state, { inChannels });
  const named = new Map(
    Array.from(prepared.state, ([name, entry]) => [nameInModel(architecture, name), entry]),
  );
  const report = reportOf(model, named, source, prepared.changes);
  if (strict) refuse(architecture, report);
  const fitting = new Map(report.loaded.map((name) => [name, named.get(name) as ImportableState]));
  importStateDict(model, fitting, { strict: false });
  model.pretrained = report;
  return report;
}

/**
 * The tensors of a file with torchvision's names, made for images of R, G, B in 0..1 normalized by `imagenetStats` and for
 * `inChannels` channels: what `importStateDict` loads into a whole network. A state that is not recognized comes back as it is.
 * @throws ArgumentError when its preprocessing or number of channels cannot be changed, DTypeError for bit patterns.
 */
export function preparePretrained(
  architecture: Architecture,
  state: TorchState,
  { inChannels = 3 }: { readonly inChannels?: number } = {},
): { readonly state: TorchState; readonly changes: readonly string[] } {
  const source = recognize(architecture, state);
  if (source === undefined) return { state, changes: [] };
  const prepared = new Map(
    Array.from(state, ([name, entry]) => [source.rename?.(name) ?? name, entry]),
  );
  const { name } = architecture.firstConvolution;
  const weightName = `${name}.weight`;
  // Changed values come out as numbers, so this is the last moment at which bit patterns can be told from them.
  for (const key of [weightName, `${name}.bias`]) {
    const entry = prepared.get(key);
    if (entry !== undefined) checkReadable("preparePretrained", key, entry);
  }
  const changes = isImagenetStandard(source.preprocessing)
    ? []
    : [foldInto(prepared, architecture, source)];
  const weight = prepared.get(weightName);
  if (weight === undefined || weight.shape[1] === inChannels) return { state: prepared, changes };
  prepared.set(weightName, adaptInChannels(weight, inChannels));
  const adapted = `${weightName}: made for ${inChannels} channels instead of ${weight.shape[1] ?? 0}`;
  return { state: prepared, changes: [...changes, adapted] };
}

/** The weights that have this state's name for the first convolution. */
function recognize(
  { firstConvolution, pretrained }: Architecture,
  state: TorchState,
): Pretrained | undefined {
  const first = `${firstConvolution.name}.weight`;
  const names = [...state.keys()];
  return pretrained.find(({ rename }) => names.some((name) => (rename?.(name) ?? name) === first));
}

/** Changes the first convolution in `state`; the result says how. */
function foldInto(
  state: Map<string, ImportableState>,
  { firstConvolution: { name, padding } }: Architecture,
  { preprocessing }: Pretrained,
): string {
  const [weightName, biasName] = [`${name}.weight`, `${name}.bias`];
  const weight = state.get(weightName) as ImportableState;
  const folded = foldPreprocessing({ weight, bias: state.get(biasName) }, preprocessing, padding);
  state.set(weightName, folded.weight);
  if (folded.bias !== undefined) state.set(biasName, folded.bias);
  const { channelOrder, scale, mean, std } = preprocessing;
  const order = channelOrder === "bgr" ? "B, G, R" : "R, G, B";
  return `${name}: made for R, G, B in 0..1 normalized by imagenetStats instead of ${order} in 0..${scale} minus (${mean.join(", ")}) over (${std.join(", ")})`;
}

/** `layer1.0.conv1.weight` becomes `0.4.0.conv1.weight`; names of no part of the body stay. */
function nameInModel({ bodyNames }: Architecture, name: string): string {
  const dot = name.indexOf(".");
  const part = bodyNames.get(dot === -1 ? name : name.slice(0, dot));
  return part === undefined ? name : `0.${part}${name.slice(dot)}`;
}

function reportOf(
  model: VisionModel,
  state: TorchState,
  source: Pretrained | undefined,
  changes: readonly string[],
): PretrainedReport {
  const wanted = torchShapes(model);
  const { classifier } = model.architecture;
  const absent = [...wanted.keys()].filter((name) => !state.has(name));
  const misshaped: Misshaped[] = [];
  for (const [name, expected] of wanted) {
    const given = state.get(name)?.shape;
    if (given !== undefined && !shapesEqual(given, expected))
      misshaped.push({ name, expected, given });
  }
  const homeless = [...state.keys()].filter((name) => !wanted.has(name));
  const isCutOff = (name: string): boolean => name.startsWith(`${classifier}.`);
  const unfit = new Set(misshaped.map(({ name }) => name));
  const parts = {
    source,
    loaded: [...wanted.keys()].filter((name) => state.has(name) && !unfit.has(name)),
    missing: absent.filter((name) => name.startsWith("0.")),
    unexpected: homeless.filter((name) => !isCutOff(name)),
    misshaped,
    leftOut: homeless.filter(isCutOff),
    newInHead: absent.filter((name) => !name.startsWith("0.")),
    changes,
  };
  return { ...parts, toString: () => describe(model.architecture.name, parts) };
}

/** Throws `ArgumentError` where the body would not be as it was trained. */
function refuse({ name, pretrained }: Architecture, report: PretrainedReport): void {
  const missing = report.missing.filter((key) => !key.endsWith("num_batches_tracked"));
  const { unexpected, misshaped } = report;
  const parts = [
    ...(missing.length > 0 ? [`missing ${missing.join(", ")}`] : []),
    ...(unexpected.length > 0 ? [`unexpected ${unexpected.join(", ")}`] : []),
    ...(misshaped.length > 0 ? [`of another shape ${misshaped.map(shapes).join(", ")}`] : []),
  ];
  if (parts.length === 0) return;
  throw new ArgumentError(
    "loadPretrained",
    `the state does not fit the body of ${name}: ${parts.join("; ")}`,
    `Load ${pretrained.map(({ fileName }) => fileName).join(" or ")}, or pass { strict: false }`,
  );
}

function shapes({ name, given, expected }: Misshaped): string {
  return `${name} ${formatShape(given)} for ${formatShape(expected)}`;
}

function describe(model: string, report: Omit<PretrainedReport, "toString">): string {
  const { source, changes } = report;
  const lines = [
    ["loaded", few(report.loaded)],
    ["missing", few(report.missing)],
    ["unexpected", few(report.unexpected)],
    ["of another shape", few(report.misshaped.map(shapes))],
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
