/** @file The head of a vision model: from feature maps to logits. */
import { ArgumentError } from "../../engine/index.ts";
import { constant, kaimingNormal, type Initializer } from "../init.ts";
import { AdaptiveAvgPool2d } from "../layers/adaptive-avg-pool2d.ts";
import { AdaptiveConcatPool2d } from "../layers/adaptive-concat-pool2d.ts";
import { BatchNorm1d } from "../layers/batch-norm1d.ts";
import { Dropout } from "../layers/dropout.ts";
import { Flatten } from "../layers/flatten.ts";
import { checkSizes, type LayerOptions } from "../layers/layer-options.ts";
import { Linear } from "../layers/linear.ts";
import { ReLU } from "../layers/relu.ts";
import { Sequential } from "../layers/sequential.ts";
import { SigmoidRange } from "../layers/sigmoid-range.ts";
import type { Module } from "../module.ts";

export interface HeadOptions extends LayerOptions {
  /** Channels of the body's result, before pooling. */
  readonly inFeatures: number;
  /** Numbers in the result for each image. */
  readonly numClasses: number;
  /** Numbers between the linear layers. Default: [512]. */
  readonly linFtrs?: readonly number[];
  /** Dropout before each linear layer; one number p is p / 2 before all and p before the last. 0 is no layer. Default: 0.5. */
  readonly ps?: number | readonly number[];
  /** Begin with pooling. False: the input is [batch, inFeatures] already. Default: true. */
  readonly pool?: boolean;
  /** Pool by maximum and mean side by side, which doubles the channels; false: by the mean alone. Default: true. */
  readonly concatPool?: boolean;
  /** Batch norm before the first linear layer. Default: true. */
  readonly firstBn?: boolean;
  /** Batch norm of momentum 0.01 behind the last linear layer. Default: false. */
  readonly bnFinal?: boolean;
  /** Linear, ReLU, batch norm, dropout instead of batch norm, dropout, linear, ReLU. Default: false. */
  readonly linFirst?: boolean;
  /** Bring results between two bounds, for regression. Default: none. */
  readonly yRange?: readonly [low: number, high: number];
  /** Initial values of the weights of the linear layers; their biases start at 0. Default: `kaimingNormal` by the fan in. */
  readonly init?: Initializer;
}

/**
 * fastai's head, with its positions and so its names: by default
 *
 *     0 AdaptiveConcatPool2d  1 Flatten
 *     2 BatchNorm1d  3 Dropout(0.25)  4 Linear(2 inFeatures, 512, no bias)  5 ReLU
 *     6 BatchNorm1d  7 Dropout(0.5)   8 Linear(512, numClasses, no bias)
 *
 * Features [batch, height, width, inFeatures] to logits [batch, numClasses]. A linear layer has a bias only where no batch norm is
 * beside it. Linear weights start with `N(0, 2 / fanIn)`, batch norms with weight 1 and bias 0.001.
 *
 * Source: fastai, `create_head` and `LinBnDrop`.
 * @throws ArgumentError for sizes that are not whole numbers of at least 1, and when `ps` has several numbers but not one for each
 * linear layer.
 */
export function createHead(options: HeadOptions): Sequential {
  const { inFeatures, numClasses, linFtrs = [512], linFirst = false, yRange } = options;
  const { pool = true, concatPool = true, bnFinal = false, device } = options;
  checkSizes("createHead", { inFeatures, numClasses });
  const widths = [pool && concatPool ? 2 * inFeatures : inFeatures, ...linFtrs, numClasses];
  const dropouts = dropoutsOf(options.ps ?? 0.5, widths.length - 1);
  return new Sequential(
    ...(pool ? [concatPool ? new AdaptiveConcatPool2d() : new AdaptiveAvgPool2d()] : []),
    ...(pool ? [new Flatten()] : []),
    ...(linFirst ? linearFirst(widths, dropouts, options) : normFirst(widths, dropouts, options)),
    ...(bnFinal ? [new BatchNorm1d({ numFeatures: numClasses, momentum: 0.01, device })] : []),
    ...(yRange === undefined ? [] : [new SigmoidRange(...yRange)]),
  );
}

/** One probability for each linear layer. */
function dropoutsOf(ps: number | readonly number[], count: number): readonly number[] {
  const list = typeof ps === "number" ? [ps] : ps;
  const [only = NaN] = list;
  if (list.length === 1)
    return Array.from({ length: count }, (_, i) => (i < count - 1 ? only / 2 : only));
  if (list.length === count) return list;
  throw new ArgumentError(
    "createHead",
    `ps has ${list.length} numbers for ${count} linear layers: [${list.join(", ")}]`,
    "Pass one number, or one for each linear layer",
  );
}

/** Batch norm, dropout, linear, and ReLU except at the end. */
function normFirst(
  widths: readonly number[],
  dropouts: readonly number[],
  options: HeadOptions,
): Module[] {
  return dropouts.flatMap((p, i) => {
    const { norm, isLast } = placeIn(widths, i, options);
    return [
      ...(norm ? [shiftedNorm(widths[i] ?? 0, options)] : []),
      ...dropout(p, options),
      linear(widths, i, !norm, options),
      ...(isLast ? [] : [new ReLU()]),
    ];
  });
}

/** Dropout; linear, ReLU, batch norm, dropout for each hidden layer; linear. */
function linearFirst(
  widths: readonly number[],
  [first = 0, ...dropouts]: readonly number[],
  options: HeadOptions,
): Module[] {
  const hidden = dropouts.flatMap((p, i) => {
    const { norm } = placeIn(widths, i, options);
    return [
      linear(widths, i, !norm, options),
      new ReLU(),
      ...(norm ? [shiftedNorm(widths[i + 1] ?? 0, options)] : []),
      ...dropout(p, options),
    ];
  });
  // Unlike all other dropouts, fastai keeps the first one where p is 0, too: positions depend on it.
  const { generator } = options;
  const begin = new Dropout({ p: first, ...(generator && { generator }) });
  return [begin, ...hidden, linear(widths, widths.length - 2, true, options)];
}

function placeIn(widths: readonly number[], i: number, { firstBn = true }: HeadOptions) {
  return { norm: i > 0 || firstBn, isLast: i === widths.length - 2 };
}

function dropout(p: number, { generator }: HeadOptions): Dropout[] {
  return p === 0 ? [] : [new Dropout({ p, ...(generator && { generator }) })];
}

/** fastai's BatchNorm: its bias starts at 0.001, not 0. */
function shiftedNorm(numFeatures: number, { device }: HeadOptions): BatchNorm1d {
  const layer = new BatchNorm1d({ numFeatures, device });
  if (layer.bias !== undefined) constant(layer.bias, 1e-3);
  return layer;
}

function linear(
  widths: readonly number[],
  i: number,
  bias: boolean,
  { device, generator, init }: HeadOptions,
): Linear {
  const [inFeatures = 0, outFeatures = 0] = widths.slice(i, i + 2);
  const layer = new Linear({ inFeatures, outFeatures, bias, device, generator });
  if (init === undefined) kaimingNormal(layer.weight, generator && { generator });
  else init(layer.weight);
  if (layer.bias !== undefined) constant(layer.bias, 0);
  return layer;
}
