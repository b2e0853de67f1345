/** @file What a `Learner` and its fits are made of: the options. */
import type { Generator, Tensor } from "../../engine/index.ts";
import type { LossFunction } from "../losses.ts";
import type { Metric } from "../metrics/metric.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Callback } from "./callback.ts";
import type { LearningRate } from "./learning-rate.ts";
import type { Loader } from "./loader.ts";
import type { Progress } from "./progress.ts";

/** What the learner needs of a model; every `Module` has it. */
export interface Model {
  forward(x: Tensor): Tensor;
  parameters(): Tensor[];
  train(): unknown;
  eval(): unknown;
}

/** Parameters that get hypers of their own. */
export interface OptimizerGroup {
  readonly parameters: readonly Tensor[];
}

export interface LearnerOptions {
  /** Batches to learn from. */
  readonly train: Loader;
  /** Batches to measure with after each epoch. Default: none. */
  readonly valid?: Loader;
  readonly model: Model;
  readonly loss: LossFunction;
  /** Default: Adam as fastai has it, made by `optFunc`. */
  readonly optimizer?: Optimizer;
  /** Makes the optimizer of the model's parameters, in the groups of `splitter`. Default: `fastaiAdam`. */
  readonly optFunc?: (groups: readonly OptimizerGroup[]) => Optimizer;
  /**
   * Splits the parameters into groups, from the first layers to the last, which learn at rates of their own and can be frozen:
   * `(model) => [model.body.parameters(), model.head.parameters()]`. Each parameter is in one group. Default: one group.
   */
  splitter?(model: Model): readonly (readonly Tensor[])[];
  /**
   * Trains scales and shifts of norms in frozen groups too, at the group's learning rate. Running statistics move on in training
   * either way; see `BnFreeze`. Default: true, as in fastai.
   */
  readonly trainBn?: boolean;
  /** Measured on the validation set after each epoch: metrics, or functions that make them, `[errorRate]`. Default: none. */
  readonly metrics?: readonly (Metric | (() => Metric))[];
  /** Taken along by every fit. Default: none. */
  readonly callbacks?: readonly Callback[];
  /** Learning rate where a fit names none. Default: 1e-3. */
  readonly lr?: LearningRate;
  /** Momentums at the start, the peak and the end of `fitOneCycle`. Default: [0.95, 0.85, 0.95]. */
  readonly moms?: readonly [number, number, number];
  /**
   * Measures, after the first batch of training and after the first of validation, which kernels are fastest for their matrix products and
   * convolutions on this adapter; the winners run from the next batch on. What was measured before, by another fit or in Node by
   * another program, is not measured again: see `TuningTable` and `openNodeDevice`. Takes up to minutes the first time, and changes
   * results by rounding errors only. Default: false.
   */
  readonly tune?: boolean;
  /**
   * Captures the training step and replays it, see `capture`: for a device that is faster than the host can record its work, as a GPU is
   * with a small net. The results are the same. The memory of a step stays set apart while it trains. Model and loss must record the
   * same work for each batch of one shape; where a callback has to run within each step, nothing is replayed. Default: false.
   */
  readonly replay?: boolean;
  /**
   * Random sources that layers and callbacks draw from besides `defaultGenerator()`; a checkpoint says where they stand. Default: none.
   */
  readonly generators?: readonly Generator[];
  /** Where table and progress are shown. Default: the table is printed by `console.log`. */
  readonly progress?: Progress;
}

export interface FitOptions {
  /** Taken along by this fit, besides the learner's own. */
  readonly callbacks?: readonly Callback[];
  /** Default: what the optimizer has. */
  readonly weightDecay?: number;
  /** Begins without the moments and step counts that fits before have left in the optimizer. Default: false. */
  readonly resetOpt?: boolean;
  /** Default: what the learner was made with. */
  readonly tune?: boolean;
}

export interface OneCycleOptions extends FitOptions {
  /** The first learning rate is `lrMax / div`. Default: 25. */
  readonly div?: number;
  /** The last learning rate is `lrMax / divFinal`. Default: 1e5. */
  readonly divFinal?: number;
  /** The part of the fit in which the learning rate rises. Default: 0.25. */
  readonly pctStart?: number;
  /** Default: the learner's `moms`. */
  readonly moms?: readonly [number, number, number];
}

export interface FlatCosOptions extends FitOptions {
  /** The last learning rate is `lr / divFinal`. Default: 1e5. */
  readonly divFinal?: number;
  /** The part of the fit in which the learning rate stays as it is. Default: 0.75. */
  readonly pctStart?: number;
}

export interface SgdrOptions extends FitOptions {
  /** Each cycle has this many times the epochs of the one before, a whole number >= 1. Default: 2. */
  readonly cycleMult?: number;
}

/** Of the second fit: `div` and `pctStart`, with defaults 5 and 0.3. Of both fits: all others. */
export interface FineTuneOptions extends OneCycleOptions {
  /** Epochs in which all groups but the last are frozen. Default: 1. */
  readonly freezeEpochs?: number;
  /** In the second fit, the first group learns at this fraction of the last one's rate. Default: 100. */
  readonly lrMult?: number;
}
