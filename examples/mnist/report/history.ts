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
