/** @file What BatchNorm1d and BatchNorm2d share; they differ in the shapes that they accept. */
import {
  add,
  batchNorm,
  cast,
  isFloat,
  noGrad,
  ones,
  onReplay,
  openScope,
  zeros,
  type Tensor,
} from "../../engine/index.ts";
import { isAutocasting } from "../mixed-precision/autocast.ts";
import { Module } from "../module.ts";
import { buffer, parameter } from "../parameter.ts";
import { checkSizes, formatOptions, placeOf, type LayerOptions } from "./layer-options.ts";

export interface BatchNormLayerOptions extends Omit<LayerOptions, "generator"> {
  /** Channels: the last axis. */
  readonly numFeatures: number;
  /** Added to the variance. Default: 1e-5. */
  readonly eps?: number;
  /** How much of the running statistics a batch replaces. Default: 0.1. */
  readonly momentum?: number;
  /** Scale and shift by trained weight and bias. Default: true. */
  readonly affine?: boolean;
  /** Keep running statistics for evaluation; without, evaluation uses those of the batch. Default: true. */
  readonly trackRunningStats?: boolean;
  /** Applied to the result in the same kernel. Default: none. */
  readonly activation?: "relu" | undefined;
}

/**
 * Normalizes each channel of a batch to mean 0 and variance 1, then scales and shifts it:
 *
 *     out = activation((x - mean) / sqrt(variance + eps) * weight + bias + residual)
 *
 * Training uses mean and biased variance of the batch, over all axes but the last, and moves the running statistics:
 * `running = (1 - momentum) running + momentum batch`, with the unbiased variance. Evaluation uses the running statistics.
 *
 * `activation` and `residual` are fused: the sum and the ReLU of a residual block cost no passes over memory of their own.
 * Source: Ioffe and Szegedy, arXiv 1502.03167; defaults and names of `torch.nn.BatchNorm2d`.
 */
export abstract class BatchNorm extends Module {
  readonly numFeatures: number;
  readonly eps: number;
  readonly momentum: number;
  readonly activation: "relu" | undefined;
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;
  readonly runningMean: Tensor | undefined;
  readonly runningVar: Tensor | undefined;
  readonly numBatchesTracked: Tensor | undefined;
  /** Batches since `numBatchesTracked` was written: nobody needs it at every step, so no step pays a dispatch for it. */
  #batchesToCount = 0;

  /** @throws ArgumentError unless numFeatures is a whole number of at least 1. */
  constructor(layer: string, options: BatchNormLayerOptions) {
    super();
    const { numFeatures, eps = 1e-5, momentum = 0.1, activation } = options;
    const { affine = true, trackRunningStats = true } = options;
    checkSizes(layer, { numFeatures });
    this.numFeatures = numFeatures;
    this.eps = eps;
    this.momentum = momentum;
    this.activation = activation;
    const place = placeOf(options);
    if (affine) {
      this.weight = parameter(ones([numFeatures], place));
      this.bias = parameter(zeros([numFeatures], place));
    }
    if (trackRunningStats) {
      this.runningMean = buffer(zeros([numFeatures], place));
      this.runningVar = buffer(ones([numFeatures], place));
      this.numBatchesTracked = buffer(zeros([], { ...place, dtype: "i32" }));
    }
  }

  /** @param residual of the shape of x, added before the activation. */
  protected normalize(x: Tensor, residual: Tensor | undefined): Tensor {
    const { weight, bias, runningMean, runningVar, momentum, eps, activation } = this;
    const training = this.training || runningMean === undefined;
    if (this.training && runningMean !== undefined) this.#countBatch();
    return batchNorm(x, {
      weight,
      bias,
      runningMean,
      runningVar,
      activation,
      residual: residual && alike(residual, x),
      training,
      momentum,
      eps,
    });
  }

  #countBatch(): void {
    this.#batchesToCount++;
    onReplay(() => ({ run: () => this.#batchesToCount++ }));
  }

  protected override settleBuffers(): void {
    const { numBatchesTracked } = this;
    if (this.#batchesToCount === 0 || numBatchesTracked === undefined) return;
    using _scope = openScope();
    const total = noGrad(() => add(numBatchesTracked, this.#batchesToCount));
    numBatchesTracked.assign(total, "BatchNorm");
    this.#batchesToCount = 0;
  }

  override describe(): string {
    const { numFeatures, eps, momentum, activation } = this;
    const affine = this.weight === undefined ? false : undefined;
    const trackRunningStats = this.runningMean === undefined ? false : undefined;
    return formatOptions({ numFeatures, eps, momentum, affine, trackRunningStats, activation });
  }
}

/** Inside `autocast` a branch may still be f32, for example the input of the network, when the other one was multiplied in f16. */
function alike(residual: Tensor, x: Tensor): Tensor {
  return isAutocasting() && isFloat(residual.dtype) ? cast(residual, x.dtype) : residual;
}
