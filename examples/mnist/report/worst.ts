/** @file Which digits a classifier gets most wrong. */
import { ShapeError } from "../../../engine/index.ts";

/** What a classifier said about one image. */
export interface Verdict {
  /** Number of the image in its dataset. */
  readonly index: number;
  /** The true class. */
  readonly label: number;
  /** The class with the highest probability. */
  readonly prediction: number;
  /** Probability of the prediction. */
  readonly probability: number;
  /** Probability of the true class; the cross-entropy loss is its negative logarithm. */
  readonly trueProbability: number;
}

/** The verdict on each image, from probabilities `[n, classes]`, row-major, and labels `[n]`. */
export function verdicts(probabilities: ArrayLike<number>, labels: ArrayLike<number>): Verdict[] {
  const classes = probabilities.length / labels.length;
  if (labels.length > 0 && !(Number.isInteger(classes) && classes > 0)) {
    throw new ShapeError(
      "verdicts",
      `${probabilities.length} probabilities for ${labels.length} labels`,
      "Pass one row of class probabilities for each label",
    );
  }
  return Array.from({ length: labels.length }, (_, index) => {
    const row = Array.from(
      { length: classes },
      (_, c) => probabilities[index * classes + c] ?? NaN,
    );
    const probability = Math.max(...row);
    const label = labels[index] ?? 0;
    const prediction = row.indexOf(probability);
    return { index, label, prediction, probability, trueProbability: row[label] ?? NaN };
  });
}

/** The `count` verdicts with the highest loss, worst first; equal ones in the order of the dataset. */
export function worstOf(all: readonly Verdict[], count: number): Verdict[] {
  return [...all].sort((a, b) => rank(a) - rank(b) || a.index - b.index).slice(0, count);
}

/** A probability that is not a number is worse than 0. */
function rank({ trueProbability }: Verdict): number {
  return Number.isNaN(trueProbability) ? -1 : trueProbability;
}
