/** @file What a training run tells about itself, and its CSV files. */
import { encodeCsv } from "../../../data/index.ts";

/** One row of the table that is printed during training. */
export interface EpochRecord {
  /** From 0 on. */
  readonly epoch: number;
  /** Mean loss over the epoch's batches. */
  readonly trainLoss: number;
  /** Mean loss over the validation set after the epoch. */
  readonly validLoss: number;
  /** Fraction of the validation set that is classified rightly. */
  readonly accuracy: number;
  /** Time of the epoch, validation included. */
  readonly seconds: number;
}

export interface TrainingHistory {
  /** Loss of each training step, in order, over all epochs; all epochs have equally many, but an interrupted one. */
  readonly stepLosses: readonly number[];
  /** Default: the steps are shared out over the epochs. */
  readonly stepsPerEpoch?: number;
  readonly epochs: readonly EpochRecord[];
}

/** One line an epoch: `epoch,train_loss,valid_loss,accuracy,seconds`. */
export function epochsCsv({ epochs }: TrainingHistory): string {
  return encodeCsv(
    ["epoch", "train_loss", "valid_loss", "accuracy", "seconds"],
    epochs.map((row) => [row.epoch, row.trainLoss, row.validLoss, row.accuracy, row.seconds]),
  );
}

/** One line a step: `step,loss`, counted from 0. */
export function stepsCsv({ stepLosses }: TrainingHistory): string {
  return encodeCsv(
    ["step", "loss"],
    stepLosses.map((loss, step) => [step, loss]),
  );
}

/**
 * The mean of each loss and its neighbours, up to `radius` steps away on either side. Unlike a running mean it does not lag behind
 * a falling loss. At the start, where the loss falls steeply, the window shrinks on both sides; at the end, where it is noise,
 * it only lacks what is not there. Losses that are not finite do not count; NaN where no other is near.
 */
export function smoothLosses(losses: readonly number[], radius: number): number[] {
  return losses.map((_, i) => {
    const reach = Math.min(radius, i);
    const near = losses.slice(i - reach, i + reach + 1).filter(Number.isFinite);
    return near.reduce((sum, loss) => sum + loss, 0) / near.length;
  });
}
