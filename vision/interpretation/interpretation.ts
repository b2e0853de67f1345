/** @file ClassificationInterpretation: what a classifier confuses, and which images it got most wrong. */
import type { ImageSource, Label } from "../../data/index.ts";
import { ArgumentError } from "../../engine/index.ts";
import type { ImagePredictions } from "../vision-learner.ts";
import { interpretationText, topLossesText } from "./words.ts";

/** One image and what the model said of it. */
export interface JudgedImage {
  /** Its place in the predictions; in those of the validation set, its index there. */
  readonly item: number;
  /** Its path; left out for pixels and bytes, and when the predictions do not know their images. */
  readonly file?: string;
  /** Cross-entropy: -ln of the probability of the actual class. */
  readonly loss: number;
  /** Index of the likeliest class. */
  readonly predicted: number;
  /** Index of the class that it is of. */
  readonly actual: number;
  readonly predictedProbability: number;
  readonly actualProbability: number;
}

/** How often images of one class were taken for another. */
export interface Confusion {
  readonly actual: Label;
  readonly predicted: Label;
  readonly count: number;
}

/**
 * Judges a classifier by the predictions of a loader, without an activation: of the validation set, or of another with labels,
 * `learn.getPreds(dls.train)`. Source: fastai, `ClassificationInterpretation`.
 *
 * ```ts
 * const interpretation = new ClassificationInterpretation(await learn.getPreds(), learn.vocab);
 * console.log(String(interpretation));
 * ```
 */
export class ClassificationInterpretation {
  readonly vocab: readonly Label[];
  /** All images, in the order of the predictions. */
  readonly images: readonly JudgedImage[];
  /** The images themselves, in this order; undefined when the predictions do not know them. */
  readonly items: readonly ImageSource[] | undefined;

  /**
   * @throws ArgumentError when there are no images or other items, the predictions are not one score for each class and image, a score is NaN, or a target is no class, as
   * those of images without labels.
   */
  constructor({ predictions, shape, targets, items }: ImagePredictions, vocab: readonly Label[]) {
    const classes = vocab.length;
    if (targets.length === 0) {
      throw new ArgumentError(
        "ClassificationInterpretation",
        "there is nothing to judge: the loader gave 0 images",
        "Judge a loader that has images; with validPct 0 the validation set has none",
      );
    }
    if (
      shape.length !== 1 ||
      shape[0] !== classes ||
      predictions.length !== classes * targets.length
    ) {
      throw new ArgumentError(
        "ClassificationInterpretation",
        `predictions of shape [${[predictions.length / shape.reduce((a, b) => a * b, 1), ...shape].join(", ")}] for ${targets.length} targets of ${classes} classes`,
        "Pass what learner.getPreds() gave, and the learner's vocab",
      );
    }
    checkTargets(targets, classes);
    checkItems(items, targets.length);
    this.vocab = vocab;
    this.items = items;
    this.images = Array.from(targets, (actual, item) => {
      const source = items?.[item];
      const file = typeof source === "string" ? { file: source } : {};
      const logits = predictions.subarray(item * classes, (item + 1) * classes);
      return { ...judge(logits, actual, item), ...file };
    });
  }

  /** Images whose likeliest class is another than their own. */
  get errors(): readonly JudgedImage[] {
    return this.images.filter(({ predicted, actual }) => predicted !== actual);
  }

  /** `matrix[actual][predicted]`: how many images of a class were taken for which. */
  confusionMatrix(): number[][] {
    const matrix = this.vocab.map(() => this.vocab.map(() => 0));
    for (const { actual, predicted } of this.images) {
      const row = matrix[actual];
      if (row !== undefined) row[predicted] = (row[predicted] ?? 0) + 1;
    }
    return matrix;
  }

  /** Pairs of classes that were taken for each other at least `least` times (default 1), the most frequent first. */
  mostConfused(least = 1): Confusion[] {
    const counts = new Map<string, { actual: number; predicted: number; count: number }>();
    for (const { actual, predicted } of this.errors) {
      const key = `${actual} ${predicted}`;
      const known = counts.get(key) ?? { actual, predicted, count: 0 };
      known.count++;
      counts.set(key, known);
    }
    return [...counts.values()]
      .filter(({ count }) => count >= least)
      .sort((a, b) => b.count - a.count || a.actual - b.actual || a.predicted - b.predicted)
      .map(({ actual, predicted, count }) => ({
        ...{ actual: this.nameOf(actual), predicted: this.nameOf(predicted), count },
      }));
  }

  /** The `count` images with the largest losses (or, with `largest: false`, the smallest), in this order. Default: all. */
  topLosses(count = this.images.length, { largest = true } = {}): JudgedImage[] {
    const sign = largest ? 1 : -1;
    const sorted = [...this.images].sort((a, b) => sign * (b.loss - a.loss) || a.item - b.item);
    return sorted.slice(0, Math.max(0, count));
  }

  /** The class with this index. */
  nameOf(index: number): Label {
    return this.vocab[index] ?? index;
  }

  /**
   * The images with the largest losses, a line each: the loss, what it was taken for and what it is, both with the probability that the
   * model gave them, and the file's path, or the number of the image where that is not known. Default: 9.
   */
  topLossesText(count = 9): string {
    return topLossesText(this, count);
  }

  /**
   * For people: the share of errors; the confusion matrix, in which what is right stands in brackets and points are zeros; the pairs that
   * are confused most; and the five largest losses. Above 40 classes there is no matrix.
   */
  toString(): string {
    return interpretationText(this);
  }
}

function checkItems(items: readonly ImageSource[] | undefined, count: number): void {
  if (items === undefined || items.length === count) return;
  throw new ArgumentError(
    "ClassificationInterpretation",
    `there are not as many images as predictions: ${items.length} and ${count}`,
    "Pass the images in the order of the predictions, or leave items out",
  );
}

/** Images without labels have the target -1. */
function checkTargets(targets: Float32Array, classes: number): void {
  const item = targets.findIndex((y) => !Number.isInteger(y) || y < 0 || y >= classes);
  if (item < 0) return;
  throw new ArgumentError(
    "ClassificationInterpretation",
    `the target of image ${item} is no class: ${targets[item]}, there are ${classes} classes`,
    "Judge a loader with labels: the training or validation set, not testLoader",
  );
}

/** Cross-entropy through the logarithm of the sum of exponentials, so that a probability of 1e-50 has a finite loss. */
function judge(logits: Float32Array, actual: number, item: number): JudgedImage {
  const largest = Math.max(...logits);
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
  const probability = (index: number): number => Math.exp((logits[index] ?? NaN) - largest) / sum;
  if (Number.isNaN(sum)) {
    throw new ArgumentError(
      "ClassificationInterpretation",
      `the scores of image ${item} are NaN or infinite: ${logits.slice(0, 5).join(", ")}${logits.length > 5 ? ", ..." : ""}`,
      "The model's weights are not finite if training diverged: train again at a lower learning rate",
    );
  }
  const predicted = logits.indexOf(largest);
  return {
    ...{ item, actual, predicted },
    loss: Math.log(sum) + largest - (logits[actual] ?? NaN),
    predictedProbability: probability(predicted),
    actualProbability: probability(actual),
  };
}
