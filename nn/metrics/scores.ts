/**
 * @file Precision, recall and F1 from the confusion matrix. For one class, with true positives, false positives and false
 * negatives:
 *
 *     precision = tp / (tp + fp)     recall = tp / (tp + fn)     f1 = 2 tp / (2 tp + fp + fn)
 *
 * and 0 where the denominator is 0. Source: scikit-learn, precision_recall_fscore_support.
 */
import { ArgumentError, type Tensor } from "../../engine/index.ts";
import { ConfusionMatrix, type ConfusionOptions } from "./confusion.ts";
import type { Metric } from "./metric.ts";

export interface ScoreOptions extends ConfusionOptions {
  /**
   * "binary": of the class `positive`, for two classes. "macro": the plain mean over the classes that occur among labels or
   * predictions. Default: "binary".
   */
  readonly average?: "binary" | "macro";
  /** The class that "binary" looks for. Default: 1. */
  readonly positive?: number;
}

/** What happened to one class. */
interface Outcome {
  readonly truePositives: number;
  readonly falsePositives: number;
  readonly falseNegatives: number;
}

/** Of the rows that were taken for a class, the part that is of it. */
export function precision(options: ScoreOptions = {}): Metric {
  return new Score("precision", options, ({ truePositives, falsePositives }) =>
    ratio(truePositives, truePositives + falsePositives),
  );
}

/** Of the rows of a class, the part that was taken for it. */
export function recall(options: ScoreOptions = {}): Metric {
  return new Score("recall", options, ({ truePositives, falseNegatives }) =>
    ratio(truePositives, truePositives + falseNegatives),
  );
}

/** The harmonic mean of precision and recall. */
export function f1Score(options: ScoreOptions = {}): Metric {
  return new Score("f1_score", options, ({ truePositives, falsePositives, falseNegatives }) =>
    ratio(2 * truePositives, 2 * truePositives + falsePositives + falseNegatives),
  );
}

class Score implements Metric {
  readonly name: string;
  readonly #matrix: ConfusionMatrix;
  readonly #options: ScoreOptions;
  readonly #score: (outcome: Outcome) => number;

  constructor(name: string, options: ScoreOptions, score: (outcome: Outcome) => number) {
    this.name = name;
    this.#matrix = new ConfusionMatrix(options);
    this.#options = options;
    this.#score = score;
  }

  reset(): void {
    this.#matrix.reset();
  }

  update(predictions: Tensor, targets: Tensor): void {
    this.#matrix.update(predictions, targets);
  }

  async value(): Promise<number> {
    const counts = await this.#matrix.counts();
    if (counts.length === 0) return NaN;
    const outcomes = counts.map((_, index) => outcomeOf(counts, index));
    const { average = "binary", positive = 1 } = this.#options;
    if (average === "macro") {
      const scores = outcomes.filter(occurs).map(this.#score);
      return ratio(
        scores.reduce((sum, score) => sum + score, 0),
        scores.length,
      );
    }
    const outcome = outcomes[positive];
    if (outcomes.length !== 2 || outcome === undefined) {
      throw new ArgumentError(
        this.name,
        `"binary" is for two classes, with the positive one among them: ${outcomes.length} classes, positive ${positive}`,
        'Pass { average: "macro" }',
      );
    }
    return this.#score(outcome);
  }
}

function outcomeOf(counts: readonly (readonly number[])[], index: number): Outcome {
  const truePositives = counts[index]?.[index] ?? 0;
  const actual = (counts[index] ?? []).reduce((sum, count) => sum + count, 0);
  const predicted = counts.reduce((sum, row) => sum + (row[index] ?? 0), 0);
  return {
    truePositives,
    falsePositives: predicted - truePositives,
    falseNegatives: actual - truePositives,
  };
}

function occurs({ truePositives, falsePositives, falseNegatives }: Outcome): boolean {
  return truePositives + falsePositives + falseNegatives > 0;
}

function ratio(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}
