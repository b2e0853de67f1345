/** @file EarlyStopping. Source: fastai, callback/tracker.py (`EarlyStoppingCallback`). */
import { CancelFitException } from "./cancel.ts";
import type { Learner } from "./learner.ts";
import { PatientTracker } from "./tracker.ts";

/**
 * Ends the fit when the monitored number has not become better for `patience` epochs (default 1), and says so. In `fineTune` it ends
 * the fit that is under way.
 */
export class EarlyStopping extends PatientTracker {
  readonly order = 63;
  readonly stateName = "EarlyStopping";

  protected override losePatience(learner: Learner): void {
    const epochs = this.wait === 1 ? "1 epoch" : `${this.wait} epochs`;
    const reason = `No improvement of ${this.monitor} for ${epochs}: early stopping.`;
    learner.write(reason);
    throw new CancelFitException(reason);
  }
}
