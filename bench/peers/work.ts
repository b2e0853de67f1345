/** @file The work that every peer is given: what to compute, from which numbers, and how many operations it is. Pure. */
import { seededRandom } from "../../test/inputs.ts";
import { randomArray, type HostArray } from "../../test/oracles/layout.ts";
import { convolutionFlops, convolutionShapes, outSize, type Convolution } from "./convolution.ts";
import { classes, forwardFlops, networkConvolutions, trainingFlops } from "./resnet34.ts";

/** `c = a b`, all three `size` x `size`. Results: c. */
export interface MatmulWork {
  readonly kind: "matmul";
  readonly size: number;
}

/** A convolution. Results: y, and with `gradients` those of `sum(y dy)` for x and w as well. */
export interface ConvolutionWork {
  readonly kind: "convolution";
  readonly convolution: Convolution;
  readonly gradients: boolean;
}

/**
 * ResNet-34 for ImageNet in evaluation, results: the logits; or a whole training step of it (forward with the statistics of the batch,
 * cross-entropy, backward, SGD with momentum, running statistics), results of the first step: the loss, and by how much
 * `trackedWeights` changed.
 */
export interface NetworkWork {
  readonly kind: "inference" | "training";
  readonly batch: number;
  /** Height and width of the images. */
  readonly size: number;
}

/** `x + y + y + ... + y`, `adds` of them one after another on tiny tensors: what an op costs on the host. Results: the sum. */
export interface ChainWork {
  readonly kind: "chain";
  readonly elements: number;
  readonly adds: number;
}

export type Work = MatmulWork | ConvolutionWork | NetworkWork | ChainWork;

/** One row of the benchmark. */
export interface WorkItem {
  readonly group: string;
  /** Unique; what `--filter` looks at, together with the group. */
  readonly name: string;
  readonly work: Work;
}

export const learningRate = 0.01;
export const momentum = 0.9;

/** Floating point operations of one run. */
export function flopsOf(work: Work): number {
  switch (work.kind) {
    case "matmul":
      return 2 * work.size ** 3;
    case "convolution":
      return (work.gradients ? 3 : 1) * convolutionFlops(work.convolution);
    case "inference":
      return forwardFlops(work.batch, work.size);
    case "training":
      return trainingFlops(work.batch, work.size);
    case "chain":
      return work.elements * work.adds;
  }
}

/** The inputs of a piece of work, the same for every peer: images NHWC, kernels [height, width, in, out]. */
export function inputsOf(work: Work): HostArray[] {
  const random = seededRandom(3);
  const uniform = (shape: readonly number[], range = 1): HostArray => {
    const { data } = randomArray(shape, random);
    return { shape, data: data.map((value) => value * range) };
  };
  switch (work.kind) {
    case "matmul":
      return [uniform([work.size, work.size]), uniform([work.size, work.size])];
    case "convolution": {
      const { x, w, y } = convolutionShapes(work.convolution);
      const { kernel, inChannels } = work.convolution;
      return [uniform(x), uniform(w, 1 / (kernel * Math.sqrt(inChannels))), uniform(y)];
    }
    case "inference":
    case "training":
      return [uniform([work.batch, work.size, work.size, 3])];
    case "chain":
      return [uniform([work.elements]), uniform([work.elements], 1e-3)];
  }
}

/** The classes of the images of a training step. */
export function labelsOf({ batch }: NetworkWork): Int32Array {
  const random = seededRandom(4);
  return Int32Array.from({ length: batch }, () => Math.floor(classes * random()));
}

/** Rows of the benchmark; `all` takes every distinct convolution of ResNet-34 instead of one of each sort. */
export function workItems(all: boolean): WorkItem[] {
  const chosen = distinctConvolutions().filter((convolution) => all || isTypical(convolution));
  return [
    ...[512, 1024, 2048].map(matmulItem),
    ...chosen.map((convolution) => convolutionItem(convolution, false)),
    ...chosen.map((convolution) => convolutionItem(convolution, true)),
    ...[1, 8].map((batch) => networkItem({ kind: "inference", batch, size: 224 })),
    networkItem({ kind: "training", batch: 8, size: 64 }),
    {
      group: "Host: additions of 64 elements, one after another",
      name: "add chain of 1000",
      work: { kind: "chain", elements: 64, adds: 1000 },
    },
  ];
}

/** Each sort of convolution in ResNet-34 once, for images of 224 x 224 and batch 8. */
export function distinctConvolutions(): Convolution[] {
  const byName = new Map(
    networkConvolutions(8, 224).map((convolution) => [nameOf(convolution), convolution]),
  );
  return [...byName.values()];
}

/** The stem, stride 1 at each of the four sizes, and one of each kernel with stride 2. */
function isTypical({ inChannels, stride, kernel, size }: Convolution): boolean {
  return kernel === 7 || stride === 1 || (size === 56 && inChannels === 64);
}

function matmulItem(size: number): WorkItem {
  return { group: "Matrix product", name: `matmul ${size}`, work: { kind: "matmul", size } };
}

function convolutionItem(convolution: Convolution, gradients: boolean): WorkItem {
  return {
    group: `Convolutions of ResNet-34, batch 8, forward${gradients ? " and both gradients" : ""}`,
    name: `conv ${nameOf(convolution)}${gradients ? " gradients" : " forward"}`,
    work: { kind: "convolution", convolution, gradients },
  };
}

function networkItem(work: NetworkWork): WorkItem {
  const { kind, batch, size } = work;
  const group = kind === "inference" ? "Inference of ResNet-34" : "Training step of ResNet-34";
  return { group, name: `${kind} ${batch}x${size}x${size}`, work };
}

function nameOf(convolution: Convolution): string {
  const { size, inChannels, outChannels, kernel, stride } = convolution;
  const sizes = stride === 1 ? `${size}` : `${size}>${outSize(convolution)}`;
  const channels = inChannels === outChannels ? `${inChannels}` : `${inChannels}>${outChannels}`;
  return `${kernel}x${kernel} ${sizes}px ${channels}ch`;
}
