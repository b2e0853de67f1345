/** @file TerminateOnNaN: a loss that is no number ends the fit, with a word about it. */
import type { Callback, LossReading } from "./callback.ts";
import type { Learner } from "./learner.ts";

/** Ends the fit when a training loss is NaN or infinite. The loss arrives up to two steps late, so that many more may have run. */
export class TerminateOnNaN implements Callback {
  /** After the recorder, so that the history shows the loss; fastai's has -9 and looks before. */
  readonly order = 51;

  lossRead(learner: Learner, { loss, step, epoch }: LossReading): void {
    if (Number.isFinite(loss) || learner.stopReason !== undefined) return;
    learner.stop(
      `Training stopped: the loss became ${loss} in step ${step}, epoch ${epoch}. Lower the learning rate, clip gradients, or ` +
        "find the op with the callback FindNonFinite.",
    );
  }
}
