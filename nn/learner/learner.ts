/**
 * @file Learner: loaders, model, loss and optimizer together. The loop itself is in `fit-loop.ts`. Source of the behaviour: fastai,
 * learner.py and callback/schedule.py.
 */
import { ArgumentError, type Tensor } from "../../engine/index.ts";
import type { LossFunction } from "../losses.ts";
import type { Metric } from "../metrics/metric.ts";
import { requireHalf } from "../mixed-precision/autocast.ts";
import type { GradScaler, GradScalerOptions } from "../mixed-precision/grad-scaler.ts";
import { Adam } from "../optim/adam.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import { CallbackList, type Callback } from "./callback.ts";
import { CancelFitException } from "./cancel.ts";
import { collectPredictions, evaluate, type Predictions } from "./evaluate.ts";
import { FitLoop } from "./fit-loop.ts";
import { FitTuning } from "./fit-tuning.ts";
import type { Batch, Loader } from "./loader.ts";
import { MixedPrecision } from "./mixed-precision.ts";
import type {
  FitOptions,
  LearnerOptions,
  LearningRate,
  Model,
  OneCycleOptions,
} from "./options.ts";
import { ParamScheduler } from "./param-scheduler.ts";
import { linesOnly, ProgressCallback, type Progress } from "./progress.ts";
import { Recorder } from "./recorder.ts";
import { combinedCos } from "./schedules.ts";
import { TerminateOnNaN } from "./terminate-on-nan.ts";
import { Validation, type ValidationResult } from "./validation.ts";

/** Adam with fastai's defaults: betas 0.9 and 0.99, eps 1e-5, decoupled decay of 0.01 that spares biases and norms. */
export function fastaiAdam(parameters: Iterable<Tensor>): Optimizer {
  return new Adam(parameters, {
    betas: [0.9, 0.99],
    eps: 1e-5,
    weightDecay: 0.01,
    decoupledWeightDecay: true,
    decayVectors: false,
  });
}

/**
 * Brings loaders, model, loss and optimizer together and trains.
 *
 * ```ts
 * const learner = new Learner({ train, valid, model, loss: crossEntropy, metrics: [accuracy()] });
 * await learner.fitOneCycle(3, 1e-2);
 * ```
 *
 * Callbacks read and change the public fields, which are those of fastai's Learner.
 */
export class Learner {
  readonly train: Loader;
  readonly valid: Loader | undefined;
  readonly model: Model;
  lossFunction: LossFunction;
  optimizer: Optimizer;
  readonly metrics: readonly Metric[];
  readonly callbacks: readonly Callback[];
  readonly recorder = new Recorder();
  lr: LearningRate;
  moms: readonly [number, number, number];
  /** Epochs trained by all fits so far; the index that the training loader is asked for. Set it to resume. */
  epochsSeen = 0;

  /** Epochs of this fit, and the current one, from 0. */
  epochs = 0;
  epoch = 0;
  /** The current batch of its loader, from 0, and how many there are. */
  iteration = 0;
  iterations = 0;
  /** Training batches of this fit before the current one. */
  step = 0;
  /** True during training, false during validation. */
  training = false;
  /** The current batch, and its tensors; callbacks may replace `x` and `y`. */
  batch: Batch | undefined;
  x: Tensor | undefined;
  y: Tensor | undefined;
  /** The model's results, from `afterPred` on; freed by `backward` unless they are the loss's own input. */
  predictions: Tensor | undefined;
  /** The loss, from `afterLoss` on. */
  loss: Tensor | undefined;
  /** Result of the last validation; undefined when it was cancelled or there was none. */
  validation: ValidationResult | undefined;
  /** Why the fit was stopped before its end, if it was. */
  stopReason: string | undefined;

  readonly #progress: Progress;
  readonly #tune: boolean;
  readonly #replay: boolean;
  #mixedPrecision: MixedPrecision | undefined;
  #fitting = false;

  /** @throws ArgumentError when both `optimizer` and `optFunc` are given. */
  constructor(options: LearnerOptions) {
    const { train, valid, model, loss, optimizer, optFunc, metrics = [], callbacks = [] } = options;
    const { lr = 1e-3, moms = [0.95, 0.85, 0.95], progress = linesOnly() } = options;
    const { tune = false, replay = false } = options;
    if (optimizer !== undefined && optFunc !== undefined) {
      throw new ArgumentError(
        "Learner",
        "both an optimizer and an optFunc were given",
        "Pass one of them",
      );
    }
    this.train = train;
    this.valid = valid;
    this.model = model;
    this.lossFunction = loss;
    this.optimizer = optimizer ?? (optFunc ?? fastaiAdam)(model.parameters());
    this.metrics = metrics;
    this.callbacks = callbacks;
    this.lr = lr;
    this.moms = moms;
    this.#tune = tune;
    this.#replay = replay;
    this.#progress = progress;
  }

  /** Where this batch lies in the fit: `(epoch + iteration / iterations) / epochs`, 0 for the first, below 1 for the last. */
  get position(): number {
    return (this.epoch + this.iteration / this.iterations) / this.epochs;
  }

  /**
   * Trains and predicts in mixed precision from now on: the model runs under `autocast`, with half floats; parameters, losses and the
   * optimizer stay f32, and the loss is scaled by a `GradScaler`. A step whose gradients overflow half floats is skipped. Returns
   * this.
   *
   * ```ts
   * await new Learner({ train, valid, model, loss: crossEntropy }).toFp16().fitOneCycle(3, 1e-2);
   * ```
   * @throws DeviceError on a device without `shader-f16`, ArgumentError during a fit and for options outside their domain.
   * Source: fastai, `Learner.to_fp16`.
   */
  toFp16(options: GradScalerOptions = {}): this {
    this.#refuseDuringFit("toFp16");
    const [parameter] = this.model.parameters();
    if (parameter !== undefined) requireHalf("toFp16", parameter.device);
    this.#mixedPrecision = new MixedPrecision(options);
    return this;
  }

  /** Undoes `toFp16`. Returns this. */
  toFp32(): this {
    this.#refuseDuringFit("toFp32");
    this.#mixedPrecision = undefined;
    return this;
  }

  /** The scaler of `toFp16`, whose state belongs to a checkpoint; undefined in f32. */
  get scaler(): GradScaler | undefined {
    return this.#mixedPrecision?.scaler;
  }

  /**
   * Trains for a number of epochs at a constant learning rate and validates after each.
   *
   * @throws ArgumentError when the epochs are no whole number >= 1, or a learning rate is not finite or below 0.
   * @throws DeviceLostError when the device was lost; the rows of the finished epochs are in `recorder.rows`.
   */
  async fit(epochs: number, lr: LearningRate = this.lr, options: FitOptions = {}): Promise<void> {
    checkEpochs("fit", epochs);
    checkRates("fit", lr);
    this.optimizer.setHyper("lr", lr);
    await this.#fit(epochs, options);
  }

  /**
   * Trains with the 1cycle policy: the learning rate rises from `lrMax / div` to `lrMax` and falls to `lrMax / divFinal`, the momentum
   * goes the other way, both along cosines. Errors as of `fit`.
   * Source: Smith and Topin, arXiv 1708.07120; fastai, fit_one_cycle.
   */
  async fitOneCycle(
    epochs: number,
    lrMax: LearningRate = this.lr,
    options: OneCycleOptions = {},
  ): Promise<void> {
    const { div = 25, divFinal = 1e5, pctStart = 0.25, moms = this.moms, callbacks = [] } = options;
    checkEpochs("fitOneCycle", epochs);
    checkRates("fitOneCycle", lrMax);
    if (!(pctStart >= 0 && pctStart <= 1 && div > 0 && divFinal > 0)) {
      throw new ArgumentError(
        "fitOneCycle",
        `the cycle has no shape: pctStart ${pctStart}, div ${div}, divFinal ${divFinal}`,
        "pctStart is from 0 to 1, the divisors are above 0",
      );
    }
    this.optimizer.setHyper("lr", lrMax);
    const rates = this.optimizer.groups.map(({ lr }) =>
      combinedCos(pctStart, lr / div, lr, lr / divFinal),
    );
    const scheduler = new ParamScheduler({
      lr: (position) => rates.map((rate) => rate(position)),
      momentum: combinedCos(pctStart, ...moms),
    });
    await this.#fit(epochs, { ...options, callbacks: [scheduler, ...callbacks] });
  }

  /** Ends the fit; for callbacks. The reason is printed and stays in `stopReason`. */
  stop(reason: string): never {
    this.stopReason = reason;
    throw new CancelFitException(reason);
  }

  /** Loss and metrics over a loader, in evaluation mode, without callbacks. Default: the validation set. */
  async validate(loader: Loader | undefined = this.valid): Promise<ValidationResult> {
    const validation = new Validation(this.metrics);
    await evaluate("validate", this.model, loader, ({ x, y, size }) => {
      const predictions = this.#forward(x);
      validation.update(predictions, y, this.lossFunction(predictions, y), size);
    });
    return validation.result();
  }

  /**
   * The model's results for a whole loader in evaluation mode, on the host, with the targets. Default: the validation set.
   * @param activation applied to each batch, for example `(logits) => softmax(logits, -1)`. Default: none.
   */
  async getPreds(
    loader: Loader | undefined = this.valid,
    activation: (predictions: Tensor) => Tensor = (predictions) => predictions,
  ): Promise<Predictions> {
    return collectPredictions(this.model, loader, (x) => activation(this.#forward(x)));
  }

  #forward(x: Tensor): Tensor {
    return this.#mixedPrecision?.forward(this.model, x) ?? this.model.forward(x);
  }

  #refuseDuringFit(op: string): void {
    if (!this.#fitting) return;
    throw new ArgumentError(op, "another fit is under way", "Await it first");
  }

  async #fit(epochs: number, options: FitOptions): Promise<void> {
    const { callbacks = [], weightDecay, tune = this.#tune } = options;
    this.#refuseDuringFit("fit");
    if (weightDecay !== undefined) this.optimizer.setHyper("weightDecay", weightDecay);
    const progress = new ProgressCallback(this.#progress);
    const precision = this.#mixedPrecision === undefined ? [] : [this.#mixedPrecision];
    const own = [this.recorder, new TerminateOnNaN(), progress, ...precision];
    const all = new CallbackList([...own, ...this.callbacks, ...callbacks]);
    this.#fitting = true;
    try {
      const tuning = tune ? new FitTuning(this, progress) : undefined;
      await new FitLoop(this, all, { tuning, replay: this.#replay }).run(epochs);
    } finally {
      this.#fitting = false;
    }
  }
}

function checkEpochs(op: string, epochs: number): void {
  if (!Number.isSafeInteger(epochs) || epochs < 1) {
    throw new ArgumentError(op, `the epochs are no whole number >= 1: ${epochs}`, "Use 1 or more");
  }
}

function checkRates(op: string, lr: LearningRate): void {
  const rates = typeof lr === "number" ? [lr] : lr;
  const bad = rates.find((rate) => !(Number.isFinite(rate) && rate >= 0));
  if (bad !== undefined) {
    throw new ArgumentError(
      op,
      `a learning rate is not a finite number >= 0: ${bad}`,
      "Use one such as 1e-3",
    );
  }
}
