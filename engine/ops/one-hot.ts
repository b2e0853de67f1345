/** @file Class indices as rows with a single 1. */
import source from "../../shaders/movement/one-hot.wgsl";
import { isFloat, type DType } from "../dtype.ts";
import { ArgumentError, DTypeError } from "../errors.ts";
import { defineKernel } from "../kernel.ts";
import { defineOp } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { vectorGrid, vectorsOn, vectorStep } from "./vectors.ts";
import { walkParams } from "./walk.ts";

const kernel = defineKernel({ name: "one-hot", source, grid: vectorGrid });

interface OneHotAttributes {
  readonly classes: number;
  readonly dtype: DType;
}

const oneHotOp = defineOp<readonly [Tensor], OneHotAttributes>({
  name: "oneHot",
  output: ([labels], { classes, dtype }) => {
    if (isFloat(labels.dtype)) {
      throw new DTypeError(
        "oneHot",
        `labels are whole numbers, not ${labels.dtype}`,
        'Use cast(labels, "u32") first',
      );
    }
    return { shape: [...labels.shape, classes], dtype };
  },
  forward: ([labels], out, { classes }) => {
    const isWhole = classes % 4 === 0;
    const unit = isWhole ? 4 : 1;
    const axes = { shape: [labels.size, classes / unit], strides: [[1, 0]] };
    const params = { size: out.size, ...walkParams(axes, vectorStep / unit) };
    const overrides = { WHOLE_VECTORS: Number(isWhole), RANK: 2, VECTORS: vectorsOn(out.device) };
    kernel({ labels, out }, params, { overrides, types: { T: out.dtype } });
    return {};
  },
  gradient: null,
});

/**
 * A new last axis of size `classes` with 1 at the place of the label and 0 elsewhere. A label outside `0..classes-1` gives zeros:
 * the device does not stop for it.
 *
 * @param labels u32 or i32, any shape
 * @throws ArgumentError unless `classes` is a whole number of at least 1; DTypeError for labels that are not integers.
 */
export function oneHot(
  labels: Tensor,
  classes: number,
  options: { readonly dtype?: DType } = {},
): Tensor {
  if (!Number.isInteger(classes) || classes < 1) {
    throw new ArgumentError(
      "oneHot",
      `the number of classes is not a whole number >= 1: ${classes}`,
      "Use 1 or more",
    );
  }
  return oneHotOp([labels], { classes, dtype: options.dtype ?? "f32" });
}
