/** @file GradientAccumulation: one step of the optimizer for several batches. Source: fastai, callback/training.py. */
import { ArgumentError, detach, mul, type Tensor } from "../../engine/index.ts";
import type { Callback } from "./callback.ts";
import { CancelBatchException } from "./cancel.ts";
import type { Learner } from "./learner.ts";

/**
 * Adds gradients up until `nAcc` samples (default 32, not batches) have been seen, and steps then, as if they had been one batch:
 *
 *     gradient = sum over batches of (size / nAcc) gradient(mean loss of the batch)
 *
 * Samples at the end of an epoch wait for the next one; those at the end of the fit that do not fill a step are dropped. Batch norms see
 * the small batches. Losses are shown as they are. A step of this kind is not replayed, see `LearnerOptions.replay`.
 */
export class GradientAccumulation implements Callback {
  /** Before MixedPrecision, so that gradients are unscaled once a step. */
  readonly order = 6;
  readonly runValid = false;
  readonly #samples: number;
  #count = 0;
  #trueLoss: Tensor | undefined;

  /** @throws ArgumentError unless it is a whole number >= 1. */
  constructor(nAcc = 32) {
    if (!Number.isSafeInteger(nAcc) || nAcc < 1) {
      throw new ArgumentError(
        "GradientAccumulation",
        `the samples are no whole number >= 1: ${nAcc}`,
        "Use a multiple of the batch size",
      );
    }
    this.#samples = nAcc;
  }

  beforeFit(): void {
    this.#count = 0;
  }

  afterLoss(learner: Learner): void {
    const { loss, batch } = learner;
    if (loss === undefined || batch === undefined) return;
    // A view with a hold on the memory of its own: `backward` frees what it came through.
    this.#trueLoss = detach(loss);
    learner.loss = mul(loss, batch.size / this.#samples);
  }

  /** Also when the backward pass was cancelled. */
  afterBackward(learner: Learner): void {
    if (this.#trueLoss !== undefined) learner.loss = this.#trueLoss;
    this.#trueLoss = undefined;
  }

  beforeStep({ batch }: Learner): void {
    this.#count += batch?.size ?? 0;
    // Unlike CancelStepException, it leaves the gradients.
    if (this.#count < this.#samples) throw new CancelBatchException();
    this.#count = 0;
  }

  cleanUp({ optimizer }: Learner): void {
    this.#trueLoss = undefined;
    optimizer.zeroGrad();
  }
}
