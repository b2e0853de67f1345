/** @file lrFind: trains for a look while the learning rate grows. Source: fastai, callback/schedule.py (`LRFinder`, `lr_find`). */
import { ArgumentError } from "../../engine/index.ts";
import type { Callback, LossReading } from "./callback.ts";
import { CancelFitException, CancelValidException } from "./cancel.ts";
import type { Learner } from "./learner.ts";
import { suggestLr, type LrCurve, type LrSuggestions } from "./lr-suggestions.ts";
import type { FitPlan } from "./policies.ts";
import { schedExp, type Schedule } from "./schedules.ts";

export interface LrFindOptions {
  /** Learning rate of the first batch, > 0. Default: 1e-7. */
  readonly startLr?: number;
  /** Learning rate that the last batch would be followed by, > 0. Default: 10. */
  readonly endLr?: number;
  /** Batches, a whole number >= 6; epochs begin anew as often as needed. Default: 100. */
  readonly numIt?: number;
  /** Ends when the smoothed loss is more than 4 times its minimum. Default: true. */
  readonly stopDiv?: boolean;
}

/** The suggestions, and the whole curve to plot: learning rates, best on a logarithmic axis, and smoothed losses. */
export interface LrFindResult extends LrSuggestions, LrCurve {}

/** More than this many times the lowest smoothed loss is diverged. */
const divergence = 4;
/** What the suggestions leave out: this part of `numIt` at the beginning, and as many points at the end. */
const skippedStart = 1 / 10;
const skippedEnd = 5;

/** Batch i has the learning rate `startLr (endLr / startLr)^(i / numIt)`. */
export class LrFinder implements Callback {
  readonly order = 60;
  readonly runValid = false;
  readonly lrs: number[] = [];
  readonly losses: number[] = [];
  readonly #numIt: number;
  readonly #stopDiv: boolean;
  readonly #schedule: Schedule;
  #best = Infinity;
  #isDone = false;

  /** @throws ArgumentError for numbers outside their domain. */
  constructor(options: LrFindOptions) {
    const { startLr = 1e-7, endLr = 10, numIt = 100, stopDiv = true } = options;
    const areRates = [startLr, endLr].every((lr) => Number.isFinite(lr) && lr > 0);
    if (!areRates || !Number.isSafeInteger(numIt) || numIt < 6) {
      throw new ArgumentError(
        "lrFind",
        `startLr ${startLr}, endLr ${endLr}, numIt ${numIt} make no range`,
        "Use learning rates above 0 and at least 6 batches",
      );
    }
    this.#numIt = numIt;
    this.#stopDiv = stopDiv;
    this.#schedule = schedExp(startLr, endLr);
  }

  /** Enough epochs for all batches. */
  plan({ train, optimizer }: Learner): FitPlan {
    const epochs = Math.floor(this.#numIt / train.length) + 1;
    const rates = optimizer.groups.map(() => this.#lrAt(0));
    const call = { name: "lrFind", args: { epochs } };
    return { call, stage: 0, epochs, rates, scheduler: undefined, options: { callbacks: [this] } };
  }

  beforeBatch({ optimizer, step }: Learner): void {
    optimizer.setHyper("lr", this.#lrAt(step));
  }

  afterBatch({ step }: Learner): void {
    if (step + 1 >= this.#numIt) throw new CancelFitException();
  }

  lossRead({ recorder: { smoothLoss } }: Learner, { step }: LossReading): void {
    // Up to two batches have run on since it diverged.
    if (this.#isDone) return;
    this.#isDone = !Number.isFinite(smoothLoss);
    if (!this.#isDone) {
      this.lrs.push(this.#lrAt(step));
      this.losses.push(smoothLoss);
      this.#best = Math.min(this.#best, smoothLoss);
      this.#isDone = this.#stopDiv && smoothLoss > divergence * this.#best;
    }
    if (this.#isDone) throw new CancelFitException();
  }

  beforeValidate(): void {
    throw new CancelValidException();
  }

  /** A curve that ended early keeps at least its second half. */
  get result(): LrFindResult {
    const { lrs, losses } = this;
    const half = Math.floor(lrs.length / 2);
    const start = Math.min(Math.floor(this.#numIt * skippedStart), half);
    const end = Math.max(lrs.length - skippedEnd, Math.min(start + half, lrs.length));
    const suggestions = suggestLr({ lrs: lrs.slice(start, end), losses: losses.slice(start, end) });
    return { ...suggestions, lrs, losses };
  }

  #lrAt(step: number): number {
    return this.#schedule(step / this.#numIt);
  }
}
