/** @file Weights of a file before they go into a network: which ones they are, what does not fit, and how they are changed. */
import type { Shape } from "../../engine/index.ts";
import { checkReadable, type ImportableState } from "../state-dict.ts";
import { adaptInChannels } from "./in-channels.ts";
import { mismatchOf, type Mismatch } from "./mismatch.ts";
import { foldPreprocessing, isImagenetStandard } from "./preprocessing.ts";
import type { Pretrained, Published } from "./pretrained.ts";

/** Tensors of a file by name, in PyTorch's axis order. */
export type TorchState = ReadonlyMap<string, ImportableState>;

/** A network that takes a state. */
export interface Target {
  readonly published: Published;
  /** Channels of its images. */
  readonly inChannels: number;
  /** Shapes in PyTorch's axis order, by the network's names. */
  readonly shapes: ReadonlyMap<string, Shape>;
  /** torchvision's name for one of the network's. */
  readonly torchName: (name: string) => string;
}

/** A state and a network, name by name. */
export interface Match {
  /** The published weights whose names the state has; undefined for a state with the network's own names. */
  readonly source: Pretrained | undefined;
  /** What fits, by the network's names, with its name in the state. */
  readonly fitting: ReadonlyMap<string, readonly [key: string, entry: ImportableState]>;
  /** By the state's names; what is missing, by torchvision's. */
  readonly mismatch: Mismatch;
}

/** Compares names and shapes, before anything is changed, so that one difference hides no other. */
export function matchState(target: Target, state: TorchState): Match {
  const { published, shapes, torchName } = target;
  const source = sourceOf(target, state);
  const keys = new Map(Array.from(state.keys(), (key) => [source?.rename?.(key) ?? key, key]));
  const nameInState = (name: string): string => {
    const wanted = source === undefined ? name : torchName(name);
    return keys.get(wanted) ?? wanted;
  };
  const wanted = new Map(Array.from(shapes, ([name, shape]) => [nameInState(name), shape]));
  const first = keys.get(`${published.firstConvolution.name}.weight`) ?? "";
  const [out = 0, , ...kernel] = wanted.get(first) ?? [];
  if (source !== undefined && takesAdapted(target, source, state.get(first)))
    wanted.set(first, [out, 3, ...kernel]);
  const given = new Map(Array.from(state, ([key, { shape }]) => [key, shape]));
  const mismatch = mismatchOf(wanted, given);
  const unfit = new Set(mismatch.misshaped.map(({ name }) => name));
  const fitting = new Map<string, readonly [string, ImportableState]>();
  for (const name of shapes.keys()) {
    const key = nameInState(name);
    const entry = state.get(key);
    if (entry !== undefined && !unfit.has(key)) fitting.set(name, [key, entry]);
  }
  return { source, mismatch, fitting };
}

/** The published weights whose file has names of its own, if these are such; undefined for all others. */
export function renamedSource(
  { pretrained }: Published,
  state: TorchState,
): Pretrained | undefined {
  const keys = [...state.keys()];
  return pretrained.find(
    ({ rename }) => rename !== undefined && keys.some((key) => rename(key) !== key),
  );
}

/** Names of a head are the same in both, so the greater number of names that are known decides. */
function sourceOf(
  { published, shapes, torchName }: Target,
  state: TorchState,
): Pretrained | undefined {
  const renamed = renamedSource(published, state);
  if (renamed !== undefined) return renamed;
  const own = [...shapes.keys()].filter((name) => state.has(name)).length;
  const theirs = [...shapes.keys()].filter((name) => state.has(torchName(name))).length;
  return theirs > 0 && theirs >= own
    ? published.pretrained.find(({ rename }) => rename === undefined)
    : undefined;
}

/** Whether the first convolution has to have 3 channels in the state, whatever it has in the network. */
function takesAdapted(
  { inChannels }: Target,
  { preprocessing }: Pretrained,
  weight: ImportableState | undefined,
): boolean {
  if (weight === undefined) return false;
  return weight.shape[1] !== inChannels || !isImagenetStandard(preprocessing);
}

/**
 * What fits, by the network's names, made for images of R, G, B in 0..1 normalized by `imagenetStats` and for the network's number of
 * channels, and in words how.
 *
 * @throws DTypeError for bit patterns, ArgumentError for data that do not fill their shape.
 */
export function prepareState(
  op: string,
  target: Target,
  { source, fitting }: Match,
): { readonly state: TorchState; readonly changes: readonly string[] } {
  const state = new Map<string, ImportableState>();
  for (const [name, [key, entry]] of fitting) {
    checkReadable(op, key, entry);
    state.set(name, entry);
  }
  return { state, changes: source === undefined ? [] : adapt(state, target, source) };
}

/** Changes the first convolution, if it is there; the result says how. */
function adapt(
  state: Map<string, ImportableState>,
  { published: { firstConvolution }, inChannels, shapes, torchName }: Target,
  { preprocessing }: Pretrained,
): string[] {
  const { name, padding } = firstConvolution;
  const [weightName = "", biasName = ""] = [`${name}.weight`, `${name}.bias`].map((wanted) =>
    [...shapes.keys()].find((key) => torchName(key) === wanted),
  );
  const weight = state.get(weightName);
  if (weight === undefined) return [];
  const changes: string[] = [];
  let convolution = { weight, bias: state.get(biasName) };
  if (!isImagenetStandard(preprocessing)) {
    convolution = foldPreprocessing(convolution, preprocessing, padding);
    const { channelOrder, scale, mean, std } = preprocessing;
    const order = channelOrder === "bgr" ? "B, G, R" : "R, G, B";
    changes.push(
      `${name}: made for R, G, B in 0..1 normalized by imagenetStats instead of ${order} in 0..${scale} minus (${mean.join(", ")}) over (${std.join(", ")})`,
    );
  }
  const channels = weight.shape[1] ?? 0;
  if (channels !== inChannels) {
    convolution = { ...convolution, weight: adaptInChannels(convolution.weight, inChannels) };
    changes.push(`${name}.weight: made for ${inChannels} channels instead of ${channels}`);
  }
  state.set(weightName, convolution.weight);
  if (convolution.bias !== undefined) state.set(biasName, convolution.bias);
  return changes;
}
