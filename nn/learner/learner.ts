/**
 * @file Learner: loaders, model, loss and optimizer together. `fit-runner.ts` runs its fits, the loop is in `fit-loop.ts`. Source of the behaviour: fastai,
 * learner.py and callback/schedule.py.
 */
import type { Generator, Tensor } from "../../engine/index.ts";
import type { LossFunction } from "../losses.ts";
import type { Metric } from "../metrics/metric.ts";
import { requireHalf } from "../mixed-precision/autocast.ts";
import type { GradScaler, GradScalerOptions } from "../mixed-precision/grad-scaler.ts";
import type { HyperName } from "../optim/hypers.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Callback } from "./callback.ts";
import { CancelFitException } from "./cancel.ts";
import { checkCallbacks, makeMetrics } from "./check-arguments.ts";
import {
  restoreCheckpoint,
  takeCheckpoint,
  type Checkpoint,
  type StoredCheckpoint,
} from "./checkpoint.ts";
import { collectPredictions, evaluate, type Predictions } from "./evaluate.ts";
import { fineTunePlans, type FitPhase } from "./fine-tune.ts";
import { FitRunner } from "./fit-runner.ts";
import type { LearningRate } from "./learning-rate.ts";
import type { Batch, Loader } from "./loader.ts";
import { LrFinder, type LrFindOptions, type LrFindResult } from "./lr-find.ts";
import { MixedPrecision } from "./mixed-precision.ts";
import type {
  FineTuneOptions,
  FitOptions,
  FlatCosOptions,
  LearnerOptions,
  Model,
  OneCycleOptions,
  SgdrOptions,
} from "./options.ts";
import { freezeGroups, makeOptimizer, normParameters } from "./parameter-groups.ts";
import {
  constantPlan,
  flatCosPlan,
  oneCyclePlan,
  sgdrPlan,
  type FitPlan,
  type PolicyPlace,
} from "./policies.ts";
import { linesOnly, type Progress } from "./progress.ts";
import { Recorder } from "./recorder.ts";
import { checkSameCall } from "./resume.ts";
import { snapshotTraining } from "./training-snapshot.ts";
import { Validation, type ValidationResult } from "./validation.ts";

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
  /** Whether norms are trained in frozen groups; `freezeTo` looks at it. */
  trainBn: boolean;
  readonly generators: readonly Generator[];
  /**
   * Epochs that all fits so far have begun to train, one that was cut short included; during training, the index that the training
   * loader was asked for.
   */
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
  /** Which part of `fineTune` is under way; undefined outside of it. */
  phase: FitPhase | undefined;
  /** Why the fit was stopped before its end, if it was. */
  stopReason: string | undefined;

  readonly #progress: Progress;
  readonly #fits: FitRunner;
  #mixedPrecision: MixedPrecision | undefined;

  /**
   * @throws ArgumentError when both `optimizer` and `optFunc` or `splitter` are given, `splitter` leaves parameters out, or `metrics` or
   * `callbacks` are no lists of such.
   */
  constructor(options: LearnerOptions) {
    const { train, valid, model, loss, metrics = [], callbacks = [] } = options;
    const { lr = 1e-3, moms = [0.95, 0.85, 0.95], progress = linesOnly() } = options;
    const { tune = false, replay = false, trainBn = true, generators = [] } = options;
    this.train = train;
    this.valid = valid;
    this.model = model;
    this.lossFunction = loss;
    this.optimizer = makeOptimizer(options);
    this.metrics = makeMetrics(metrics);
    this.callbacks = checkCallbacks("Learner", callbacks);
    this.lr = lr;
    this.moms = moms;
    this.trainBn = trainBn;
    this.generators = generators;
    this.#progress = progress;
    this.#fits = new FitRunner(this, { progress, tune, replay });
  }

  /** Where this batch lies in the fit: `(epoch + iteration / iterations) / epochs`, 0 for the first, below 1 for the last. */
  get position(): number {
    return (this.epoch + this.iteration / this.iterations) / this.epochs;
  }

  /**
   * Trains and validates in mixed precision from now on, `getPreds` too: the model runs under `autocast`, with half floats; parameters,
   * losses and the optimizer stay f32, and the loss is scaled by a `GradScaler`. A step whose gradients overflow half floats is skipped.
   * The model itself stays one of f32, and so `predict` of wgrad/vision and what is exported compute. Returns this.
   *
   * ```ts
   * await new Learner({ train, valid, model, loss: crossEntropy }).toFp16().fitOneCycle(3, 1e-2);
   * ```
   * @throws DeviceError on a device without `shader-f16`, ArgumentError during a fit and for options outside their domain.
   * Source: fastai, `Learner.to_fp16`.
   */
  toFp16(options: GradScalerOptions = {}): this {
    this.#fits.refuseDuringFit("toFp16");
    const [parameter] = this.model.parameters();
    if (parameter !== undefined) requireHalf("toFp16", parameter.device);
    this.#mixedPrecision = new MixedPrecision(options);
    return this;
  }

  /** Undoes `toFp16`. Returns this. */
  toFp32(): this {
    this.#fits.refuseDuringFit("toFp32");
    this.#mixedPrecision = undefined;
    return this;
  }

  /** The scaler of `toFp16`, whose state belongs to a checkpoint; undefined in f32. */
  get scaler(): GradScaler | undefined {
    return this.#mixedPrecision?.scaler;
  }

  /**
   * Lets the parameter groups from `n` on be trained and freezes those before, whose weights then cost no gradients; negative `n` count
   * from the end. Norms of frozen groups are trained nevertheless if `trainBn` is set. Drops the optimizer's moments and step counts,
   * as fastai does. Where that freezes the whole model, or a negative `n` freezes nothing, a line says so. Returns this.
   * @throws ArgumentError when `n` is no whole number, or below minus the number of groups.
   */
  freezeTo(n: number): this {
    const always = this.trainBn ? normParameters(this.model) : new Set<Tensor>();
    const warning = freezeGroups(this.optimizer, n, always);
    if (warning !== undefined) this.write(warning);
    return this;
  }

  /** Freezes all parameter groups but the last: `freezeTo(-1)`. Returns this. */
  freeze(): this {
    return this.freezeTo(-1);
  }

  /** Trains all parameter groups: `freezeTo(0)`. Returns this. */
  unfreeze(): this {
    return this.freezeTo(0);
  }

  /**
   * Trains for a number of epochs at a constant learning rate and validates after each.
   *
   * @throws ArgumentError when the epochs are no whole number >= 1, a learning rate is not finite or below 0, or the training loader has
   * no batches.
   * @throws DeviceLostError when the device was lost; the rows of the finished epochs are in `recorder.rows`.
   */
  async fit(epochs: number, lr: LearningRate = this.lr, options: FitOptions = {}): Promise<void> {
    await this.#run(constantPlan(this.#place, epochs, lr, options));
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
    await this.#run(oneCyclePlan(this.#place, epochs, lrMax, options));
  }

  /**
   * Trains at a constant learning rate, which from `pctStart` of the fit on falls to `lr / divFinal` along a cosine. Errors as of `fit`.
   * Source: fastai, fit_flat_cos.
   */
  async fitFlatCos(
    epochs: number,
    lr: LearningRate = this.lr,
    options: FlatCosOptions = {},
  ): Promise<void> {
    await this.#run(flatCosPlan(this.#place, epochs, lr, options));
  }

  /**
   * Trains in cycles, in each of which the learning rate falls from `lrMax` to 0 along a cosine: the first takes `cycleLength` epochs,
   * each other one `cycleMult` times those of the one before. Errors as of `fit`.
   * Source: Loshchilov and Hutter, arXiv 1608.03983; fastai, fit_sgdr.
   */
  async fitSgdr(
    cycles: number,
    cycleLength: number,
    lrMax: LearningRate = this.lr,
    options: SgdrOptions = {},
  ): Promise<void> {
    await this.#run(sgdrPlan(this.#place, cycles, cycleLength, lrMax, options));
  }

  /**
   * Trains a pretrained model: first the last parameter group alone, then everything, the first groups at a lower rate. Prints a table
   * for each, and over it the phase, the learning rates and the number of trainable parameters; callbacks find the phase in `phase`.
   *
   *     freeze();    fitOneCycle(freezeEpochs, slice(baseLr), { pctStart: 0.99 })
   *     unfreeze();  fitOneCycle(epochs, slice(baseLr / 2 / lrMult, baseLr / 2), { pctStart: 0.3, div: 5 })
   *
   * A fit that `stop` ends ends both; a `CancelFitException` ends its own, as in fastai. Errors as of `fit`. Source: fastai, fine_tune.
   */
  async fineTune(epochs: number, baseLr = 2e-3, options: FineTuneOptions = {}): Promise<void> {
    try {
      for (const { phase, plan } of fineTunePlans(this.#place, epochs, baseLr, options)) {
        this.#fits.refuseDuringFit("fineTune");
        const { resumed } = this.#fits;
        if (resumed === undefined) this.freezeTo(phase === "frozen" ? -1 : 0);
        else checkSameCall(plan.call, resumed);
        if (plan.stage < (resumed?.stage ?? 0)) continue;
        this.phase = phase;
        await this.#run(plan);
        if (this.stopReason !== undefined) return;
      }
    } finally {
      if (!this.#fits.isRunning) this.phase = undefined;
    }
  }

  /**
   * Trains up to `numIt` batches while the learning rate grows from `startLr` to `endLr`, and suggests one by each of fastai's four rules;
   * `valley` is its default. The curve is for a plot. Weights, buffers, the optimizer's state, random generators and the history are
   * afterwards what they were, bit for bit: training goes on as if nothing had been. Callbacks with `duringLrFind: false` do not run.
   *
   * ```ts
   * const { valley } = await learner.lrFind();
   * await learner.fineTune(3, valley);
   * ```
   * @throws ArgumentError for numbers outside their domain, and between `resume` and its fit.
   * Source: Smith, arXiv 1506.01186; fastai, lr_find.
   */
  async lrFind(options: LrFindOptions = {}): Promise<LrFindResult> {
    this.#fits.refuseDuringFit("lrFind");
    this.#fits.refuseBeforeResumedFit("lrFind");
    const finder = new LrFinder(options);
    const restore = await snapshotTraining(this);
    try {
      await this.#run({ ...finder.plan(this), isSearch: true });
    } finally {
      restore();
    }
    return finder.result;
  }

  /** Ends the fit; for callbacks. The reason is printed and stays in `stopReason`. */
  stop(reason: string): never {
    this.stopReason = reason;
    throw new CancelFitException(reason);
  }

  /** Whether a scheduler of the fit under way sets this hyper before each batch, as that of `fitOneCycle` does the learning rate. */
  isScheduled(hyper: HyperName): boolean {
    return this.#fits.schedules(hyper);
  }

  /** Prints a line that stays, where progress is shown. */
  write(line: string): void {
    this.#progress.write(line);
  }

  /**
   * All that is needed to go on from here: weights, buffers, the optimizer's and the scaler's state, which parameters are frozen, where
   * random generators stand, and how far the fit is. For callbacks in `betweenBatches`, after `settle`, and from `afterEpoch` on, where
   * `Checkpointer` calls it, or between fits. Gradients are not in it.
   * @throws ArgumentError when the model is no `Module`, and between `resume` and its fit.
   */
  async checkpoint(): Promise<Checkpoint> {
    this.#fits.refuseBeforeResumedFit("checkpoint");
    return takeCheckpoint(this, this.#fits.state());
  }

  /**
   * Takes over a checkpoint. If it was made during a fit, the next call has to be that fit with the same arguments and callbacks: it goes on
   * where the checkpoint was made, also in the middle of an epoch, and ends with the same weights, bit for bit, as if it had never
   * been interrupted. Batches that were trained on are passed over: the loader gives the same ones again. Returns this.
   *
   * ```ts
   * learner.resume(await readCheckpoint("run.safetensors")); // of wgrad/vision/node
   * await learner.fitOneCycle(5, 1e-3);
   * ```
   * @throws ArgumentError when this is no checkpoint, or model, optimizer, scaler or training data are others than those of the checkpoint.
   */
  resume(checkpoint: StoredCheckpoint): this {
    this.#fits.refuseDuringFit("resume");
    this.#fits.resumeAt(restoreCheckpoint(this, checkpoint));
    return this;
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

  get #place(): PolicyPlace {
    return { groups: this.optimizer.groups.length, moms: this.moms };
  }

  async #run(plan: FitPlan): Promise<void> {
    await this.#fits.run(plan, this.#mixedPrecision);
  }
}
