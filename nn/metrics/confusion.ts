/** @file The confusion matrix, counted on the device. Definition: `shaders/metrics/confusion.wgsl`. */
import source from "../../shaders/metrics/confusion.wgsl";
import {
  ArgumentError,
  defineKernel,
  linearGrid,
  shapesEqual,
  type Tensor,
} from "../../engine/index.ts";
import { Accumulator } from "./metric.ts";
import { checkLabels, defaultIgnoreIndex, scoreRows, type LabelOptions } from "./rows.ts";

const argmaxKernel = defineKernel({
  name: "metrics/confusion",
  source,
  entryPoint: "argmax",
  grid: ({ rows }) => linearGrid(rows as number, 64),
});

const thresholdKernel = defineKernel({
  name: "metrics/confusion-threshold",
  source,
  entryPoint: "threshold",
  grid: ({ rows }) => linearGrid(rows as number, 64),
});

export interface ConfusionOptions extends LabelOptions {
  /** Where there is one score a row: above it, class 1 is predicted. Default: 0, for logits; 0.5 for probabilities. */
  readonly threshold?: number;
}

/**
 * How often each class was taken for each other, over any number of batches.
 *
 * Scores are `[..., classes]` with labels `[...]`; or one score for each label, shape `[...]` or `[..., 1]`, for two classes.
 */
export class ConfusionMatrix {
  readonly #ignore: number;
  readonly #threshold: number;
  #classes = 0;
  #counts: Accumulator | undefined;

  constructor({ ignoreIndex = defaultIgnoreIndex, threshold = 0 }: ConfusionOptions = {}) {
    this.#ignore = ignoreIndex;
    this.#threshold = threshold;
  }

  /** Forgets everything. */
  reset(): void {
    this.#counts?.reset();
    this.#counts = undefined;
  }

  /**
   * Adds a batch; waits for nothing.
   * @throws ShapeError and DTypeError when scores and labels do not fit, ArgumentError when the number of classes changed.
   */
  update(predictions: Tensor, targets: Tensor): void {
    const binary = hasOneScore(predictions, targets);
    const { rows, classes } = binary
      ? { rows: targets.size, classes: 2 }
      : scoreRows("ConfusionMatrix", predictions, targets);
    this.#counts ??= new Accumulator(classes * classes + 1, "u32");
    if (this.#classes !== classes && this.#classes !== 0) {
      throw new ArgumentError(
        "ConfusionMatrix",
        `the number of classes changed: ${this.#classes} before, ${classes} now`,
        "Call reset() between different models",
      );
    }
    this.#classes = classes;
    const kernel = binary ? thresholdKernel : argmaxKernel;
    kernel(
      { scores: predictions, labels: targets, counts: this.#counts.on(predictions) },
      { rows, classes, ignore: this.#ignore, threshold: this.#threshold },
      { types: { T: targets.dtype } },
    );
  }

  /**
   * The counts, `[actual][predicted]`; waits for the device. Empty when there was no batch.
   * @throws ArgumentError when a label named no class.
   */
  async counts(): Promise<number[][]> {
    const classes = this.#classes;
    const flat = (await this.#counts?.read()) ?? [];
    checkLabels("ConfusionMatrix", flat[classes * classes] ?? 0, String(classes - 1));
    return Array.from({ length: flat.length === 0 ? 0 : classes }, (_, actual) =>
      flat.slice(actual * classes, (actual + 1) * classes),
    );
  }
}

/** One score for each label means two classes; then the labels may be f32, as binary cross-entropy takes them. */
function hasOneScore({ shape, dtype }: Tensor, targets: Tensor): boolean {
  const one = shapesEqual(shape, targets.shape) || shapesEqual(shape, [...targets.shape, 1]);
  return one && dtype === "f32" && targets.dtype !== "f16";
}
