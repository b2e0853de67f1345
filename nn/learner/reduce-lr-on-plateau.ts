/** @file ReduceLROnPlateau. Source: fastai, callback/tracker.py (`ReduceLROnPlateau`). */
import { ArgumentError } from "../../engine/index.ts";
import type { Learner } from "./learner.ts";
import { formatRates } from "./learning-rate.ts";
import { PatientTracker, type TrackerOptions } from "./tracker.ts";

export interface ReduceLROnPlateauOptions extends TrackerOptions {
  /** Epochs without a better value. Default: 1. */
  readonly patience?: number;
  /** The learning rates are divided by this, > 1. Default: 10. */
  readonly factor?: number;
  /** No learning rate falls below this. Default: 0. */
  readonly minLr?: number;
}

/**
 * Divides the learning rates of all groups by `factor` when the monitored number has not become better for `patience` epochs, and says so.
 * For `fit` alone: a schedule, as the other fits have one, would set the learning rate of the next batch to what it was.
 */
export class ReduceLROnPlateau extends PatientTracker {
  readonly order = 62;
  readonly stateName = "ReduceLROnPlateau";
  readonly #factor: number;
  readonly #minLr: number;

  /** @throws ArgumentError for numbers outside their domain. */
  constructor(options: ReduceLROnPlateauOptions = {}) {
    super(options);
    const { factor = 10, minLr = 0 } = options;
    if (!(factor > 1 && minLr >= 0)) {
      throw new ArgumentError(
        "ReduceLROnPlateau",
        `factor ${factor}, minLr ${minLr} reduce nothing`,
        "The factor is above 1, minLr not below 0",
      );
    }
    this.#factor = factor;
    this.#minLr = minLr;
  }

  /** @throws ArgumentError when the fit schedules the learning rate. */
  override beforeFit(learner: Learner): void {
    super.beforeFit(learner);
    if (!learner.isScheduled("lr")) return;
    throw new ArgumentError(
      "ReduceLROnPlateau",
      "the fit has a schedule of the learning rate, which would undo each reduction at once",
      "Use fit, without a ParamScheduler of the learning rate, or leave ReduceLROnPlateau out",
    );
  }

  protected override losePatience(learner: Learner): void {
    const { epoch, optimizer } = learner;
    const before = optimizer.groups.map(({ lr }) => lr);
    const after = before.map((lr) => Math.max(lr / this.#factor, Math.min(lr, this.#minLr)));
    this.wait = 0;
    if (after.every((lr, i) => lr === before[i])) return;
    optimizer.setHyper("lr", after);
    learner.write(`Epoch ${epoch}: reducing lr to ${formatRates(after)}.`);
  }
}
