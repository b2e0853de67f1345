/** @file Reversal along axes. */
import { defineOp } from "../op.ts";
import { normalizeAxes, stridesOf, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { copyAxes, copyStrided } from "./strided-copy.ts";

const flipOp = defineOp<readonly [Tensor], { readonly axes: readonly number[] }>({
  name: "flip",
  output: ([x]) => ({ shape: x.shape }),
  forward: ([x], out, { axes }) => {
    const { xStrides, xOffset } = reversedWalk(x.shape, axes);
    copyStrided("flip", x, out, copyAxes(x.shape, { xStrides }), { xOffset });
    return {};
  },
  gradient: (dy, { attributes: { axes } }) => [flip(dy, axes)],
});

/** From the last element of the reversed axes backwards. */
function reversedWalk(
  shape: Shape,
  axes: readonly number[],
): { xStrides: number[]; xOffset: number } {
  const xStrides = stridesOf(shape);
  let xOffset = 0;
  for (const axis of axes) {
    xOffset += ((shape[axis] ?? 1) - 1) * (xStrides[axis] ?? 0);
    xStrides[axis] = -(xStrides[axis] ?? 0);
  }
  return { xStrides, xOffset };
}

/**
 * The elements in reverse order along the given axes, by default all: `flip(images, 2)` mirrors left and right.
 * @throws ArgumentError when there is no such axis, or one is named twice.
 */
export function flip(x: Tensor, axes?: number | readonly number[]): Tensor {
  return flipOp([x], { axes: normalizeAxes("flip", axes, x.shape.length) });
}
