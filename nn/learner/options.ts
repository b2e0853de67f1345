/** @file What a `Learner` and its fits are made of: the options. */
import type { Tensor } from "../../engine/index.ts";
import type { LossFunction } from "../losses.ts";
import type { Metric } from "../metrics/metric.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { Callback } from "./callback.ts";
import type { Loader } from "./loader.ts";
import type { Progress } from "./progress.ts";

/** What the learner needs of a model; every `Module` has it. */
export interface Model {
  forward(x: Tensor): Tensor;
  parameters(): Tensor[];
  train(): unknown;
  eval(): unknown;
}

/** One learning rate for all parameter groups, or one for each. */
export type LearningRate = number | readonly number[];

export interface LearnerOptions {
  /** Batches to learn from. */
  readonly train: Loader;
  /** Batches to measure with after each epoch. Default: none. */
  readonly valid?: Loader;
  readonly model: Model;
  readonly loss: LossFunction;
  /** Default: Adam as fastai has it, made by `optFunc`. */
  readonly optimizer?: Optimizer;
  /** Makes the optimizer of the model's parameters. Default: `fastaiAdam`. */
  readonly optFunc?: (parameters: Tensor[]) => Optimizer;
  /** Measured on the validation set after each epoch. Default: none. */
  readonly metrics?: readonly Metric[];
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
  /** Where table and progress are shown. Default: the table is printed by `console.log`. */
  readonly progress?: Progress;
}

export interface FitOptions {
  /** Taken along by this fit, besides the learner's own. */
  readonly callbacks?: readonly Callback[];
  /** Default: what the optimizer has. */
  readonly weightDecay?: number;
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
