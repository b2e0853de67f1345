/**
 * @file ResNet-34 as data, so that every peer builds the same network of its own ops: the units, one walk over them, weights, and
 * operations counted. Source: He, Zhang, Ren and Sun, arXiv 1512.03385; names as in torchvision.
 */
import { seededRandom } from "../../test/inputs.ts";
import { randomArray, type HostArray } from "../../test/oracles/layout.ts";
import { convolutionFlops, outSize, type Convolution } from "./convolution.ts";

/** A convolution without bias, and the batch norm behind it. */
export interface Unit {
  readonly conv: string;
  readonly norm: string;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernel: number;
  readonly stride: number;
}

interface Block {
  readonly conv1: Unit;
  readonly conv2: Unit;
  readonly downsample: Unit | undefined;
}

export const classes = 1000;
const features = 512;

const stem: Unit = {
  ...{ conv: "conv1", norm: "bn1", inChannels: 3, outChannels: 64, kernel: 7, stride: 2 },
};

const blocks: readonly Block[] = [
  ...stage("layer1", 64, 64, 3),
  ...stage("layer2", 64, 128, 4),
  ...stage("layer3", 128, 256, 6),
  ...stage("layer4", 256, features, 3),
];

function stage(name: string, from: number, to: number, count: number): Block[] {
  return Array.from({ length: count }, (_, i) => {
    const path = `${name}.${i}`;
    const inChannels = i === 0 ? from : to;
    const stride = inChannels === to ? 1 : 2;
    const first = { inChannels, outChannels: to, stride };
    const second = { inChannels: to, outChannels: to, stride: 1 };
    const shortcut = { conv: `${path}.downsample.0`, norm: `${path}.downsample.1`, kernel: 1 };
    return {
      conv1: { conv: `${path}.conv1`, norm: `${path}.bn1`, kernel: 3, ...first },
      conv2: { conv: `${path}.conv2`, norm: `${path}.bn2`, kernel: 3, ...second },
      downsample: stride === 1 ? undefined : { ...shortcut, ...first },
    };
  });
}

/** All units, in the order in which they run. */
const units: readonly Unit[] = [
  stem,
  ...blocks.flatMap(({ conv1, conv2, downsample }) =>
    downsample === undefined ? [conv1, conv2] : [downsample, conv1, conv2],
  ),
];

/** What a peer has to offer. A value is used up by what takes it; `share` gives a second right to use it. */
export interface NetworkOps<Value> {
  /** `relu(norm(conv(x)) + shortcut)`, each of the last two where it is asked for. */
  unit(x: Value, unit: Unit, after: { relu: boolean; shortcut?: Value }): Value;
  /** 3 x 3, stride 2, padding 1. */
  maxPool(x: Value): Value;
  /** The mean over the image and the linear layer `fc`. */
  head(x: Value): Value;
  share(x: Value): Value;
}

/** Images to logits. */
export function walk<Value>(ops: NetworkOps<Value>, images: Value): Value {
  let x = ops.maxPool(ops.unit(images, stem, { relu: true }));
  for (const { conv1, conv2, downsample } of blocks) {
    const kept = ops.share(x);
    const shortcut = downsample === undefined ? kept : ops.unit(kept, downsample, { relu: false });
    const inner = ops.unit(x, conv1, { relu: true });
    x = ops.unit(inner, conv2, { relu: true, shortcut });
  }
  return ops.head(x);
}

/** Every convolution of the network for images of `size` x `size`, in order. */
export function networkConvolutions(batch: number, size: number): Convolution[] {
  const convolutions: Convolution[] = [];
  const add = (unit: Unit, at: number): number => {
    const { inChannels, outChannels, kernel, stride } = unit;
    convolutions.push({ batch, size: at, inChannels, outChannels, kernel, stride });
    return outSize({ size: at, kernel, stride });
  };
  let at = outSize({ size: add(stem, size), kernel: 3, stride: 2 });
  for (const { conv1, conv2, downsample } of blocks) {
    if (downsample !== undefined) add(downsample, at);
    at = add(conv2, add(conv1, at));
  }
  return convolutions;
}

/** Operations of one pass forward: 2 for each multiplication of the convolutions and of the linear layer. */
export function forwardFlops(batch: number, size: number): number {
  const convolutions = networkConvolutions(batch, size).map(convolutionFlops);
  return 2 * batch * features * classes + convolutions.reduce((sum, flops) => sum + flops, 0);
}

/** Operations of a training step: forward, and as many again for each of two gradients; the images want none. */
export function trainingFlops(batch: number, size: number): number {
  const [first] = networkConvolutions(batch, size);
  const images = first === undefined ? 0 : convolutionFlops(first);
  return 3 * forwardFlops(batch, size) - images;
}

/** Values by PyTorch's names and in PyTorch's axis order. */
export type HostState = ReadonlyMap<string, HostArray>;

let initial: HostState | undefined;

/** Seeded weights and statistics that keep the activations near 1 in evaluation, too; the same object at every call. */
export function initialState(): HostState {
  initial ??= makeState();
  return initial;
}

function makeState(): HostState {
  const random = seededRandom(34);
  const state = new Map<string, HostArray>();
  const between = (shape: readonly number[], low: number, high: number): HostArray => ({
    shape,
    data: randomArray(shape, random).data.map((v) => low + ((high - low) * (v + 1)) / 2),
  });
  for (const { conv, norm, inChannels, outChannels, kernel } of units) {
    // Uniform in [-r, r) has the variance r^2 / 3; He's is 2 / fanOut.
    const range = Math.sqrt(6 / (kernel * kernel * outChannels));
    state.set(`${conv}.weight`, between([outChannels, inChannels, kernel, kernel], -range, range));
    const [low, high] = norm.endsWith("bn2") ? [0.2, 0.4] : [0.5, 1];
    state.set(`${norm}.weight`, between([outChannels], low, high));
    state.set(`${norm}.bias`, between([outChannels], -0.1, 0.1));
    state.set(`${norm}.running_mean`, between([outChannels], -0.1, 0.1));
    state.set(`${norm}.running_var`, between([outChannels], 0.5, 1.5));
  }
  const range = 1 / Math.sqrt(features);
  state.set("fc.weight", between([classes, features], -range, range));
  state.set("fc.bias", between([classes], -range, range));
  return state;
}

/** The entry of a name. */
export function entryOf<Entry>(state: ReadonlyMap<string, Entry>, name: string): Entry {
  const entry = state.get(name);
  if (entry === undefined) throw new Error(`resnet34: the state has no ${name}`);
  return entry;
}

export const epsilon = 1e-5;

/**
 * Batch norm in evaluation taken into the convolution before it, as converters of models do:
 *
 *     scale = gamma / sqrt(variance + epsilon),  w' = scale w,  b' = beta - scale mean
 */
export function foldNorms(state: HostState): HostState {
  const folded = new Map<string, HostArray>();
  for (const { conv, norm } of units) {
    const weight = entryOf(state, `${conv}.weight`);
    const perChannel = weight.data.length / (weight.shape[0] ?? 1);
    const at = (name: string, channel: number): number =>
      entryOf(state, `${norm}.${name}`).data[channel] ?? NaN;
    const scale = (channel: number): number =>
      at("weight", channel) / Math.sqrt(at("running_var", channel) + epsilon);
    const scales = entryOf(state, `${norm}.weight`).data.map((_, channel) => scale(channel));
    folded.set(`${conv}.weight`, {
      shape: weight.shape,
      data: weight.data.map((w, i) => w * (scales[Math.floor(i / perChannel)] ?? NaN)),
    });
    folded.set(`${conv}.bias`, {
      shape: [scales.length],
      data: scales.map((s, channel) => at("bias", channel) - s * at("running_mean", channel)),
    });
  }
  folded.set("fc.weight", entryOf(state, "fc.weight"));
  folded.set("fc.bias", entryOf(state, "fc.bias"));
  return folded;
}

/** Parameters whose first change in training is compared: of the first, a middle and the last layer. */
export const trackedWeights = ["conv1.weight", "layer3.0.conv2.weight", "fc.weight"] as const;

/** By how much the tracked weights differ from the initial ones. `state` is in PyTorch's axis order, as the initial one is. */
export function trackedChanges(
  state: ReadonlyMap<string, { readonly data: ArrayLike<number | bigint> }>,
): HostArray[] {
  return trackedWeights.map((name) => {
    const { shape, data } = entryOf(initialState(), name);
    const now = entryOf(state, name).data;
    return { shape, data: data.map((before, i) => Number(now[i] ?? NaN) - before) };
  });
}
