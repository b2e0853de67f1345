/** @file How predictions and targets of a classification fit together. */
import {
  ArgumentError,
  DTypeError,
  formatShape,
  ShapeError,
  shapesEqual,
  sizeOf,
  type Tensor,
} from "../../engine/index.ts";

/** Options of all metrics of classification. */
export interface LabelOptions {
  /** Rows with this label do not count. Default: -100, as in `crossEntropy`. */
  readonly ignoreIndex?: number;
}

export const defaultIgnoreIndex = -100;

/** Predictions `[..., classes]` as rows of scores. */
export interface ScoreRows {
  readonly rows: number;
  readonly classes: number;
}

/** Checks scores `[..., classes]`, f32, against labels `[...]`, i32 or u32. Throws `ShapeError` or `DTypeError`. */
export function scoreRows(op: string, predictions: Tensor, targets: Tensor): ScoreRows {
  const classes = predictions.shape.at(-1) ?? 0;
  const lead = predictions.shape.slice(0, -1);
  if (predictions.shape.length === 0 || classes === 0 || !shapesEqual(lead, targets.shape)) {
    throw new ShapeError(
      op,
      `predictions and targets do not fit: ${formatShape(predictions.shape)} and ${formatShape(targets.shape)}`,
      "Pass scores [batch, classes] and class indices [batch]",
    );
  }
  if (predictions.dtype !== "f32" || (targets.dtype !== "i32" && targets.dtype !== "u32")) {
    throw new DTypeError(
      op,
      `it takes f32 scores and whole-numbered targets, not ${predictions.dtype} and ${targets.dtype}`,
      'Use cast(targets, "i32")',
    );
  }
  return { rows: sizeOf(lead), classes };
}

/** Throws when labels were counted that name no class. */
export function checkLabels(op: string, outOfRange: number, classes: string): void {
  if (outOfRange === 0) return;
  throw new ArgumentError(
    op,
    `${outOfRange} labels name no class: they are outside 0 to ${classes}`,
    "Correct the labels, or pass the label to leave out as ignoreIndex",
  );
}
