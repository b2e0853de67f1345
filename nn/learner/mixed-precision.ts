/** @file MixedPrecision: what `Learner.toFp16` adds to every fit. Source: fastai, callback/fp16.py. */
import { cast, isFloat, onReplay, type Tensor } from "../../engine/index.ts";
import { autocast, openAutocast } from "../mixed-precision/autocast.ts";
import { GradScaler, type GradScalerOptions } from "../mixed-precision/grad-scaler.ts";
import type { Callback } from "./callback.ts";
import type { Learner } from "./learner.ts";
import type { Model } from "./options.ts";

/**
 * Runs the model under `autocast`, hands its result to the loss in f32, scales the loss for `backward` and unscales the gradients
 * before the optimizer's step, which overflowed gradients turn into no step.
 */
export class MixedPrecision implements Callback {
  /** Before GradientClip, which has to see the true gradients. */
  readonly order = 10;
  readonly replayable = true;
  readonly scaler: GradScaler;
  #region: Disposable | undefined;
  /** The loss of the batch as it was before it was scaled. */
  #trueLoss: Tensor | undefined;
  /** True between `beforeStep` and `afterStep`. */
  #stepping = false;

  constructor(options: GradScalerOptions) {
    this.scaler = new GradScaler(options);
  }

  /** A model's result in f32, computed under `autocast`; for what is not part of a fit. */
  forward(model: Model, x: Tensor): Tensor {
    return inFull(autocast(() => model.forward(x)));
  }

  beforeBatch(): void {
    this.#region = openAutocast();
  }

  afterPred(learner: Learner): void {
    this.#close();
    onReplay(() => ({
      run: () => {
        this.#close();
      },
    }));
    const { predictions } = learner;
    if (predictions !== undefined) learner.predictions = inFull(predictions);
  }

  afterLoss(learner: Learner): void {
    if (!learner.training || learner.loss === undefined) return;
    this.#trueLoss = learner.loss;
    learner.loss = this.scaler.scale(learner.loss);
  }

  /** `backward` has its scaled loss by now; everybody else sees the true one. */
  beforeBackward(learner: Learner): void {
    this.#restoreLoss(learner);
  }

  beforeStep({ optimizer }: Learner): void {
    this.scaler.unscale(optimizer);
    this.#stepping = true;
  }

  /** Also when the step was cancelled. */
  afterStep(): void {
    this.#endStep();
  }

  afterCancelBatch(learner: Learner): void {
    this.#close();
    this.#restoreLoss(learner);
    this.#endStep();
  }

  /** An error may have ended the fit anywhere. */
  cleanUp({ optimizer }: Learner): void {
    this.#close();
    this.#trueLoss = undefined;
    if (!optimizer.guard.device.isLost) this.#endStep();
  }

  #close(): void {
    this.#region?.[Symbol.dispose]();
    this.#region = undefined;
  }

  #restoreLoss(learner: Learner): void {
    if (this.#trueLoss !== undefined) learner.loss = this.#trueLoss;
    this.#trueLoss = undefined;
  }

  #endStep(): void {
    if (this.#stepping) this.scaler.update();
    this.#stepping = false;
  }
}

function inFull(predictions: Tensor): Tensor {
  return isFloat(predictions.dtype) ? cast(predictions, "f32") : predictions;
}
