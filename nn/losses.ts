/**
 * @file Losses: how wrong a prediction is, as one number to descend from. Functions, and modules with the names of PyTorch's, whose
 * `forward(prediction, target)` calls them with fixed options. Cross-entropy itself is an op of the engine.
 */
import {
  abs,
  add,
  ArgumentError,
  clamp,
  crossEntropy,
  DTypeError,
  isFloat,
  formatShape,
  mean,
  mul,
  neg,
  ShapeError,
  shapesEqual,
  softplus,
  square,
  sub,
  sum,
  type CrossEntropyOptions,
  type LossReduction,
  type Tensor,
} from "../engine/index.ts";
import { Module } from "./module.ts";
import { buffer } from "./parameter.ts";

/**
 * What a fit loop takes: a scalar from a prediction and its target. Callbacks that weigh samples, as `MixUp`, ask for one loss for each
 * sample by `{ reduction: "none" }`; a function of one's own passes the options on:
 * `(p, y, options) => crossEntropy(p, y, { labelSmoothing: 0.1, ...options })`.
 */
export type LossFunction = (prediction: Tensor, target: Tensor, options?: LossOptions) => Tensor;

export interface LossOptions {
  /** The mean or the sum over all elements, or "none": one loss for each element. Default: "mean". */
  readonly reduction?: LossReduction;
}

export interface HuberOptions extends LossOptions {
  /** Where the parabola becomes a line. Default: 1. */
  readonly delta?: number;
}

export interface SmoothL1Options extends LossOptions {
  /** Where the parabola becomes a line; 0 is the L1 loss. Default: 1. */
  readonly beta?: number;
}

export interface BceOptions extends LossOptions {
  /** How much positive targets count, a number or f32 that broadcasts: above 1 raises recall, below 1 precision. Default: 1. */
  readonly posWeight?: Tensor | number;
}

/**
 * `(prediction - target)^2`: mean squared error.
 * @throws ShapeError when the shapes differ, DTypeError for whole numbers.
 */
export function mseLoss(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkPair("mseLoss", prediction, target);
  return reduce(square(sub(prediction, target)), options);
}

/**
 * `|prediction - target|`: mean absolute error; its gradient at 0 is 0.
 * @throws ShapeError when the shapes differ, DTypeError for whole numbers.
 */
export function l1Loss(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkPair("l1Loss", prediction, target);
  return reduce(abs(sub(prediction, target)), options);
}

/**
 * `d^2 / 2` where `|d| <= delta`, else `delta (|d| - delta / 2)`, for d = prediction - target: squared near 0 and absolute far away.
 * Source: Huber, Robust estimation of a location parameter (1964).
 *
 * @throws ShapeError when the shapes differ, DTypeError for whole numbers, ArgumentError unless delta > 0.
 */
export function huberLoss(prediction: Tensor, target: Tensor, options: HuberOptions = {}): Tensor {
  const { delta = 1 } = options;
  checkPair("huberLoss", prediction, target);
  checkAbove("huberLoss", "delta", delta, delta > 0);
  return reduce(huber(sub(prediction, target), delta), options);
}

/**
 * `huberLoss` divided by beta: `d^2 / (2 beta)` near 0, `|d| - beta / 2` far away. Source: Girshick, Fast R-CNN, arXiv 1504.08083.
 * @throws ShapeError when the shapes differ, DTypeError for whole numbers, ArgumentError unless beta >= 0.
 */
export function smoothL1Loss(
  prediction: Tensor,
  target: Tensor,
  options: SmoothL1Options = {},
): Tensor {
  const { beta = 1 } = options;
  checkPair("smoothL1Loss", prediction, target);
  checkAbove("smoothL1Loss", "beta", beta, beta >= 0);
  const d = sub(prediction, target);
  return reduce(beta === 0 ? abs(d) : mul(huber(d, beta), 1 / beta), options);
}

/** With c = d limited to -delta..delta, both branches are `c (d - c / 2)`. */
function huber(d: Tensor, delta: number): Tensor {
  const c = clamp(d, -delta, delta);
  return mul(c, sub(d, mul(c, 0.5)));
}

/**
 * Binary cross-entropy of `sigmoid(logits)` against targets in 0..1, each element a question of its own:
 *
 *     posWeight * y * log(1 + e^-x) + (1 - y) * log(1 + e^x)
 *
 * Both logarithms are computed as softplus, so no logit overflows and small losses keep their digits.
 *
 * @throws ShapeError when the shapes differ or posWeight does not broadcast, DTypeError for whole numbers.
 */
export function bceWithLogitsLoss(
  logits: Tensor,
  target: Tensor,
  options: BceOptions = {},
): Tensor {
  checkPair("bceWithLogitsLoss", logits, target);
  const { posWeight = 1 } = options;
  const positive = mul(target, softplus(neg(logits)));
  const negative = mul(sub(1, target), softplus(logits));
  const weighted = posWeight === 1 ? positive : mul(positive, posWeight);
  return reduce(add(weighted, negative), options);
}

function reduce(losses: Tensor, { reduction = "mean" }: LossOptions): Tensor {
  switch (reduction) {
    case "mean":
      return mean(losses);
    case "sum":
      return sum(losses);
    case "none":
      return losses;
  }
}

/** Broadcasting would silently compare every prediction with every target: [n, 1] with [n] makes [n, n]. */
function checkPair(op: string, prediction: Tensor, target: Tensor): void {
  for (const t of [prediction, target]) {
    if (!isFloat(t.dtype)) {
      throw new DTypeError(
        op,
        `it takes real numbers, not ${t.dtype}: ${t.toString()}`,
        'Use cast(t, "f32")',
      );
    }
  }
  if (shapesEqual(prediction.shape, target.shape)) return;
  throw new ShapeError(
    op,
    `prediction and target differ in shape: ${formatShape(prediction.shape)} and ${formatShape(target.shape)}`,
    "Reshape or expand one of them",
  );
}

function checkAbove(op: string, name: string, value: number, inside: boolean): void {
  if (inside && Number.isFinite(value)) return;
  throw new ArgumentError(op, `${name} is outside its domain: ${value}`, "1 is usual");
}

/** `crossEntropy` with fixed options: logits [..., classes] against labels [...] or probabilities [..., classes]. */
export class CrossEntropyLoss extends Module {
  readonly weight: Tensor | undefined;
  readonly options: Omit<CrossEntropyOptions, "weight">;

  constructor({ weight, ...options }: CrossEntropyOptions = {}) {
    super();
    this.weight = weight === undefined ? undefined : buffer(weight);
    this.options = options;
  }

  override forward(logits: Tensor, target: Tensor): Tensor {
    const { weight, options } = this;
    return crossEntropy(logits, target, weight === undefined ? options : { ...options, weight });
  }
}

/** `mseLoss` with fixed options. */
export class MSELoss extends Module {
  readonly options: LossOptions;

  constructor(options: LossOptions = {}) {
    super();
    this.options = options;
  }

  override forward(prediction: Tensor, target: Tensor): Tensor {
    return mseLoss(prediction, target, this.options);
  }
}

/** `l1Loss` with fixed options. */
export class L1Loss extends Module {
  readonly options: LossOptions;

  constructor(options: LossOptions = {}) {
    super();
    this.options = options;
  }

  override forward(prediction: Tensor, target: Tensor): Tensor {
    return l1Loss(prediction, target, this.options);
  }
}

/** `huberLoss` with fixed options. */
export class HuberLoss extends Module {
  readonly options: HuberOptions;

  constructor(options: HuberOptions = {}) {
    super();
    this.options = options;
  }

  override forward(prediction: Tensor, target: Tensor): Tensor {
    return huberLoss(prediction, target, this.options);
  }
}

/** `smoothL1Loss` with fixed options. */
export class SmoothL1Loss extends Module {
  readonly options: SmoothL1Options;

  constructor(options: SmoothL1Options = {}) {
    super();
    this.options = options;
  }

  override forward(prediction: Tensor, target: Tensor): Tensor {
    return smoothL1Loss(prediction, target, this.options);
  }
}

/** `bceWithLogitsLoss` with fixed options. */
export class BCEWithLogitsLoss extends Module {
  readonly posWeight: Tensor | number;
  readonly options: LossOptions;

  constructor({ posWeight = 1, ...options }: BceOptions = {}) {
    super();
    this.posWeight = typeof posWeight === "number" ? posWeight : buffer(posWeight);
    this.options = options;
  }

  override forward(logits: Tensor, target: Tensor): Tensor {
    return bceWithLogitsLoss(logits, target, { ...this.options, posWeight: this.posWeight });
  }
}
