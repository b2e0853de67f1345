/**
 * @file Batch normalisation over all axes but the last, with relu and a residual in the same pass.
 * How it is carried out: `batch-norm-kernels.ts`.
 */
import { sameDevice } from "../device/device.ts";
import { isFloat } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { defineOp, type GradientContext } from "../op.ts";
import { formatShape, shapesEqual, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import {
  batchMoments,
  channelGradients,
  inputGradient,
  normalize,
  runningMoments,
  type ReluMask,
  type RunningStatistics,
} from "./batch-norm-kernels.ts";

export interface BatchNormOptions {
  /** [channels], f32. Default: ones. */
  readonly weight?: Tensor | undefined;
  /** [channels], f32. Default: zeros. */
  readonly bias?: Tensor | undefined;
  /**
   * [channels], f32: used in evaluation, updated in place in training, if given. Together with
   * `runningVar`.
   */
  readonly runningMean?: Tensor | undefined;
  /** [channels], f32. */
  readonly runningVar?: Tensor | undefined;
  /** Normalise by the statistics of the batch rather than the running ones. Default: false. */
  readonly training?: boolean;
  /** How much of the batch's statistics goes into the running ones, 0 to 1. Default: 0.1. */
  readonly momentum?: number;
  /** Added to the variance. Default: 1e-5. */
  readonly eps?: number;
  /** Applied to the result in the same pass. */
  readonly activation?: "relu" | undefined;
  /** The shape of x: added before the activation in the same pass. */
  readonly residual?: Tensor | undefined;
}

/** x, weight, bias, residual; x stands in for those that are missing. */
type Inputs = readonly [x: Tensor, weight: Tensor, bias: Tensor, residual: Tensor];

interface Attributes {
  readonly hasWeight: boolean;
  readonly hasBias: boolean;
  readonly hasResidual: boolean;
  readonly training: boolean;
  readonly running: RunningStatistics | undefined;
  readonly momentum: number;
  readonly eps: number;
  readonly relu: boolean;
}

interface Saved extends Readonly<Record<string, Tensor>> {
  readonly moments: Tensor;
}

const op = "batchNorm";

const batchNormOp = defineOp<Inputs, Attributes, Saved>({
  name: op,
  output: ([x, weight, bias, residual], attributes) => {
    const { hasWeight, hasBias, hasResidual, training, running } = attributes;
    const channels = requireChannels(x);
    if (hasWeight) requireVector("weight", weight, channels);
    if (hasBias) requireVector("bias", bias, channels);
    if (hasResidual) requireLike(x, residual);
    if (running !== undefined) {
      requireVector("runningMean", running.mean, channels);
      requireVector("runningVar", running.variance, channels);
      sameDevice(op, [x.device, running.mean.device, running.variance.device]);
    }
    if (training && x.size === channels && x.size > 0) {
      throw new ArgumentError(
        op,
        `Expected more than 1 value per channel when training: got input ${formatShape(x.shape)}`,
        "Use a larger batch (drop a last batch of one), or training: false",
      );
    }
    return { shape: x.shape };
  },
  forward: ([x, weight, bias, residual], out, attributes) => {
    const { hasWeight, hasBias, hasResidual, training, running, relu, eps } = attributes;
    const affine = { weight: hasWeight ? weight : undefined, bias: hasBias ? bias : undefined };
    const moments =
      training || running === undefined
        ? batchMoments(x, affine, running, attributes)
        : runningMoments(x, affine, running, eps);
    normalize(x, out, moments, { relu, residual: hasResidual ? residual : undefined });
    return { moments };
  },
  gradient: (dy, context) => gradients(dy, context),
});

function gradients(
  dy: Tensor,
  { inputs: [x], out, attributes, saved, needs }: GradientContext<Inputs, Attributes, Saved>,
): readonly (Tensor | null)[] {
  const { moments } = saved;
  const { hasWeight, hasBias, hasResidual, training, relu } = attributes;
  const wantsWeight = hasWeight && needs[1] === true;
  const wantsBias = hasBias && needs[2] === true;
  const wantsX = needs[0] === true;
  const mask: ReluMask = !relu ? "none" : hasResidual ? { from: out } : "from x";
  const wantsSums = typeof mask !== "string" || wantsWeight || wantsBias || (wantsX && training);
  const sums = wantsSums ? channelGradients(x, dy, moments, mask) : undefined;
  const g = sums?.g ?? dy;
  const slopes = training ? sums?.slopes : undefined;
  return [
    wantsX ? inputGradient(x, g, moments, slopes, mask === "from x") : null,
    wantsWeight ? (sums?.dweight ?? null) : null,
    wantsBias ? (sums?.dbias ?? null) : null,
    hasResidual ? g : null,
  ];
}

/** How many channels x has. */
function requireChannels(x: Tensor): number {
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      op,
      `it takes real numbers, not ${x.dtype}: ${x.toString()}`,
      'Use cast(x, "f32") first',
    );
  }
  const channels = x.shape.at(-1);
  if (channels === undefined || x.shape.length < 2) {
    throw new ShapeError(
      op,
      `x has no batch and channels: ${formatShape(x.shape)}`,
      "It takes [batch, channels], [batch, length, channels] or [batch, height, width, channels]",
    );
  }
  return channels;
}

function requireVector(name: string, vector: Tensor, channels: number): void {
  const wanted: Shape = [channels];
  if (!shapesEqual(vector.shape, wanted)) {
    throw new ShapeError(
      op,
      `${name} does not fit the last axis of x: ${formatShape(vector.shape)} for ${channels} channels`,
      `Pass ${formatShape(wanted)}; channels come last`,
    );
  }
  if (vector.dtype !== "f32") {
    throw new DTypeError(
      op,
      `${name} is not f32: ${vector.dtype}`,
      "Keep it in f32, whatever x is",
    );
  }
}

function requireLike(x: Tensor, residual: Tensor): void {
  if (!shapesEqual(residual.shape, x.shape) || residual.dtype !== x.dtype) {
    throw new ShapeError(
      op,
      `the residual differs from x: ${residual.toString()} and ${x.toString()}`,
      "Bring it to the same shape and type first, for example by a convolution of size 1",
    );
  }
}

/**
 * Normalises each channel (the last axis of x) over all other axes to mean 0 and variance 1, then
 * scales by `weight` and adds `bias`: `act((x - mean) / sqrt(variance + eps) * weight + bias +
 * residual)`. As PyTorch's `batch_norm`, for any number of axes from 2 on.
 *
 * In training, mean and (biased) variance are those of the batch, and the running statistics, if
 * given, are updated in place: `running = (1 - momentum) * running + momentum * batch`, with the
 * unbiased variance. In evaluation the running statistics are used.
 *
 * Source: Ioffe and Szegedy, arXiv 1502.03167.
 * @throws ShapeError when an argument does not fit the channels of x, or the residual not x.
 * @throws ArgumentError without running statistics in evaluation, with one of the two alone, in
 * training with a single value a channel, for another activation, or for a momentum or eps outside
 * its range. DTypeError for whole numbers.
 */
export function batchNorm(x: Tensor, options: BatchNormOptions): Tensor {
  const { weight, bias, residual, training = false, momentum = 0.1, eps = 1e-5 } = options;
  if (!(eps >= 0 && Number.isFinite(eps))) {
    throw new ArgumentError(op, `eps is not a number >= 0: ${eps}`, "Use 1e-5");
  }
  if (!(momentum >= 0 && momentum <= 1)) {
    throw new ArgumentError(
      op,
      `momentum is not between 0 and 1: ${momentum}`,
      "Use 0.1; it is the weight of the new batch, not of the old average",
    );
  }
  const { activation }: { readonly activation?: string | undefined } = options;
  if (activation !== undefined && activation !== "relu") {
    throw new ArgumentError(
      op,
      `no such activation: ${activation}`,
      'Use "relu", or apply the activation to the result',
    );
  }
  return batchNormOp([x, weight ?? x, bias ?? x, residual ?? x], {
    hasWeight: weight !== undefined,
    hasBias: bias !== undefined,
    hasResidual: residual !== undefined,
    running: runningOf(options, training),
    training,
    momentum,
    eps,
    relu: activation === "relu",
  });
}

function runningOf(
  { runningMean, runningVar }: BatchNormOptions,
  training: boolean,
): RunningStatistics | undefined {
  if (runningMean !== undefined && runningVar !== undefined) {
    return { mean: runningMean, variance: runningVar };
  }
  if (runningMean !== undefined || runningVar !== undefined || !training) {
    throw new ArgumentError(
      op,
      `running statistics are missing: runningMean ${describe(runningMean)}, runningVar ${describe(runningVar)}`,
      training ? "Pass both or none" : "Evaluation needs both; or use training: true",
    );
  }
  return undefined;
}

function describe(tensor: Tensor | undefined): string {
  return tensor === undefined ? "undefined" : formatShape(tensor.shape);
}
