/** @file What the cross-entropy takes: its options, and the checks of logits, target, labels and weights. The op: `cross-entropy.ts`. */
import { isFloat } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { onReplay } from "../replay.ts";
import { formatShape, shapesEqual, sizeOf, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";

export type LossReduction = "mean" | "sum" | "none";

export interface CrossEntropyOptions {
  /** What becomes of the losses of the rows. Default: "mean". */
  readonly reduction?: LossReduction;
  /** The part of the wanted distribution, 0 to 1, that is spread evenly over all classes. Default: 0. */
  readonly labelSmoothing?: number;
  /** How much each class counts, f32 [classes]. Default: all 1. */
  readonly weight?: Tensor;
  /** Rows with this label count for nothing. Default: -100. Only for labels. */
  readonly ignoreIndex?: number;
}

export interface Attributes {
  readonly rows: number;
  readonly classes: number;
  readonly reduction: LossReduction;
  readonly probabilities: boolean;
  readonly labelSmoothing: number;
  readonly ignoreIndex: number;
}

/** @throws what `crossEntropy` throws. */
export function attributesOf(
  logits: Tensor,
  target: Tensor,
  options: CrossEntropyOptions,
): Attributes {
  const { reduction = "mean", labelSmoothing = 0, weight, ignoreIndex = -100 } = options;
  const classes = classesOf(logits);
  const probabilities = isFloat(target.dtype);
  checkTarget(logits, target);
  const checkLabels = (): void => {
    if (target.hostIntegers === undefined) return;
    refuseLabels("crossEntropy", target, target.hostIntegers, classes, ignoreIndex);
  };
  checkLabels();
  onReplay(() => ({ run: checkLabels }));
  if (weight !== undefined) checkWeight(weight, classes);
  if (!(labelSmoothing >= 0 && labelSmoothing <= 1)) {
    throw new ArgumentError(
      "crossEntropy",
      `labelSmoothing is not in 0..1: ${labelSmoothing}`,
      "Usual values are 0 and 0.1",
    );
  }
  if (!Number.isInteger(ignoreIndex) || (probabilities && options.ignoreIndex !== undefined)) {
    throw new ArgumentError(
      "crossEntropy",
      `ignoreIndex does not apply: ${ignoreIndex} for a target of ${target.dtype}`,
      "Pass a whole number, and only with a target of labels",
    );
  }
  return {
    rows: sizeOf(logits.shape.slice(0, -1)),
    classes,
    reduction,
    probabilities,
    labelSmoothing,
    ignoreIndex,
  };
}

function classesOf(logits: Tensor): number {
  const classes = logits.shape.at(-1);
  if (classes === undefined || classes === 0) {
    throw new ShapeError(
      "crossEntropy",
      `the logits have no classes: ${formatShape(logits.shape)}`,
      "Pass [..., classes]",
    );
  }
  if (!isFloat(logits.dtype)) {
    throw new DTypeError(
      "crossEntropy",
      `the logits are no real numbers: ${logits.toString()}`,
      "Pass f32",
    );
  }
  return classes;
}

function checkTarget(logits: Tensor, target: Tensor): void {
  if (target.dtype === "f16") {
    throw new DTypeError(
      "crossEntropy",
      `probabilities in f16: ${target.toString()}`,
      'Use cast(target, "f32")',
    );
  }
  const wanted: Shape = target.dtype === "f32" ? logits.shape : logits.shape.slice(0, -1);
  if (shapesEqual(target.shape, wanted)) return;
  throw new ShapeError(
    "crossEntropy",
    `the target does not fit the logits: ${target.dtype} ${formatShape(target.shape)} for ${formatShape(logits.shape)}`,
    `Pass labels, i32 or u32 ${formatShape(logits.shape.slice(0, -1))}, or probabilities, f32 ${formatShape(logits.shape)}`,
  );
}

function checkWeight(weight: Tensor, classes: number): void {
  if (weight.dtype !== "f32" || !shapesEqual(weight.shape, [classes])) {
    throw new ShapeError(
      "crossEntropy",
      `the class weights do not fit: ${weight.dtype} ${formatShape(weight.shape)} for ${classes} classes`,
      `Pass f32 [${classes}]`,
    );
  }
}

/**
 * Reads labels back and checks that each is in 0..classes-1 or equals `ignoreIndex` (default -100). It waits for the device, so
 * call it once for a data set, or to find out why a loss is NaN.
 *
 * @throws ArgumentError naming the first wrong label and its place. DTypeError for real numbers.
 */
export async function checkLabels(
  labels: Tensor,
  classes: number,
  ignoreIndex = -100,
): Promise<void> {
  if (isFloat(labels.dtype)) {
    throw new DTypeError(
      "checkLabels",
      `labels are whole numbers: ${labels.toString()}`,
      "Pass i32 or u32",
    );
  }
  refuseLabels("checkLabels", labels, await labels.data(), classes, ignoreIndex);
}

function refuseLabels(
  op: string,
  labels: Tensor,
  values: ArrayLike<number>,
  classes: number,
  ignoreIndex: number,
): void {
  const place = Array.prototype.findIndex.call(
    values,
    (label: number) => label !== ignoreIndex && !(label >= 0 && label < classes),
  );
  if (place < 0) return;
  throw new ArgumentError(
    op,
    `label out of range: ${values[place] ?? NaN} at ${place} of ${labels.toString()}, for ${classes} classes`,
    `Labels count from 0 to ${classes - 1}; correct the data set or the number of outputs`,
  );
}
