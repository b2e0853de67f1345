/** @file Axes in another order. */
import { ArgumentError } from "../errors.ts";
import { defineOp } from "../op.ts";
import { normalizeAxis, stridesOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { reshape } from "./reshape.ts";
import { copyAxes, copyStrided } from "./strided-copy.ts";

const permuteOp = defineOp<readonly [Tensor], { readonly axes: readonly number[] }>({
  name: "permute",
  output: ([x], { axes }) => ({ shape: axes.map((axis) => x.shape[axis] ?? 0) }),
  forward: ([x], out, { axes }) => {
    const strides = stridesOf(x.shape);
    const xStrides = axes.map((axis) => strides[axis] ?? 0);
    copyStrided("permute", x, out, copyAxes(out.shape, { xStrides }));
    return {};
  },
  gradient: (dy, { attributes: { axes } }) => [permute(dy, inverse(axes))],
});

/**
 * Axis k of the result is axis `axes[k]` of x: `permute(images, [0, 3, 1, 2])` makes NCHW of NHWC.
 * @throws ArgumentError unless every axis of x is named exactly once.
 */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  const rank = x.shape.length;
  const order = axes.map((axis) => normalizeAxis("permute", axis, rank));
  if (order.length !== rank || new Set(order).size !== rank) {
    throw new ArgumentError(
      "permute",
      `the axes [${axes.join(", ")}] are no permutation of the ${rank} axes of ${x.toString()}`,
      "Name each axis exactly once",
    );
  }
  // Axes of size 1 may go anywhere without a single element moving.
  const moved = order.filter((axis) => x.shape[axis] !== 1);
  const inOrder = moved.every((axis, k) => k === 0 || (moved[k - 1] ?? 0) < axis);
  const shape = order.map((axis) => x.shape[axis] ?? 0);
  return inOrder ? reshape(x, shape) : permuteOp([x], { axes: order });
}

/**
 * Swaps two axes, by default the last two: `transpose(matrix)`.
 * @throws ArgumentError when there is no such axis.
 */
export function transpose(x: Tensor, axisA = -2, axisB = -1): Tensor {
  const rank = x.shape.length;
  const a = normalizeAxis("transpose", axisA, rank);
  const b = normalizeAxis("transpose", axisB, rank);
  const axes = Array.from({ length: rank }, (_, axis) => (axis === a ? b : axis === b ? a : axis));
  return permute(x, axes);
}

/** The order that undoes another. */
function inverse(axes: readonly number[]): number[] {
  const result = new Array<number>(axes.length);
  axes.forEach((axis, k) => (result[axis] = k));
  return result;
}
