/** @file Overfitting: says so when the validation loss has turned up while the training loss still falls. */
import type { Callback } from "./callback.ts";
import type { Learner } from "./learner.ts";
import type { EpochRow } from "./recorder.ts";

/** Epochs for which the validation loss has to be above its minimum, by this factor: below it, it is as good as back. */
const [epochsAbove, clearly] = [2, 1.02];
/** The training loss has to be below this part of the validation loss's minimum. */
const gap = 0.75;

/**
 * Part of every fit with a validation set. The rule: in the last 2 epochs the validation loss was more than 2 % above its minimum before, and
 * the smoothed training loss is lower than at that minimum and below 3/4 of it. Without the gap, a high learning rate would pass for
 * overfitting: it throws the validation loss about while the network is no better on what it was shown than on what it was not. It is said
 * once for each minimum. Not a callback of fastai's.
 */
export class Overfitting implements Callback {
  /** After the row of the table. */
  readonly order = 64;

  afterEpoch(learner: Learner): void {
    const { rows } = learner.recorder;
    const notice = overfittingNotice(rows);
    const wasSaid = overfittingNotice(rows.slice(0, -1)) !== undefined;
    if (notice !== undefined && !wasSaid) learner.write(notice);
  }
}

/** What to say after these epochs; undefined where the rule does not hold. */
export function overfittingNotice(rows: readonly EpochRow[]): string | undefined {
  const best = rows.reduce<EpochRow | undefined>((least, row) => {
    return (row.validLoss ?? Infinity) < (least?.validLoss ?? Infinity) ? row : least;
  }, undefined);
  const last = rows.at(-1);
  if (best?.validLoss === undefined || last?.validLoss === undefined) return undefined;
  const epochs = last.epoch - best.epoch;
  const isBetterKnown = last.trainLoss < best.trainLoss && last.trainLoss < gap * best.validLoss;
  if (epochs < epochsAbove || !isBetterKnown) return undefined;
  const most = clearly * best.validLoss;
  if (rows.slice(-epochsAbove).some(({ validLoss }) => !((validLoss ?? 0) > most)))
    return undefined;
  return (
    `Overfitting: valid_loss has been above its minimum of ${best.validLoss.toFixed(6)} (epoch ${best.epoch}) for ${epochs} epochs, ` +
    `while train_loss fell from ${best.trainLoss.toFixed(6)} to ${last.trainLoss.toFixed(6)}. ` +
    "Train for fewer epochs, augment the data or add weight decay; the callback SaveBest keeps the best epoch."
  );
}
