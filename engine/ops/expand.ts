/** @file Repetition along axes, as broadcasting does it. */
import { ShapeError } from "../errors.ts";
import { defineOp } from "../op.ts";
import { checkShape, formatShape, shapesEqual, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { spreadInto } from "./spread.ts";

const expandOp = defineOp<readonly [Tensor], { readonly shape: Shape }>({
  name: "expand",
  output: (_inputs, { shape }) => ({ shape }),
  forward: ([x], out) => {
    spreadInto("expand", x, out);
    return {};
  },
  // The tape sums it back to the shape of x.
  gradient: (dy) => [dy],
});

/**
 * Repeats axes of size 1, and adds leading axes, up to `shape`; -1 leaves a size as it is. The elements are copied. Returns `x`
 * itself when it already has the shape.
 * @throws ShapeError when x does not broadcast to the shape.
 */
export function expand(x: Tensor, shape: Shape): Tensor {
  const lead = shape.length - x.shape.length;
  const target = shape.map((size, axis) => (size === -1 ? (x.shape[axis - lead] ?? -1) : size));
  checkShape("expand", target);
  const fits =
    lead >= 0 && x.shape.every((size, axis) => size === 1 || size === target[axis + lead]);
  if (!fits) {
    throw new ShapeError(
      "expand",
      `the shape ${formatShape(x.shape)} does not broadcast to ${formatShape(shape)}`,
      "Only axes of size 1 repeat, and new axes come first; use unsqueeze to place an axis",
    );
  }
  return shapesEqual(x.shape, target) ? x : expandOp([x], { shape: target });
}
