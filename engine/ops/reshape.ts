/** @file Other shapes for the same elements. Nothing is copied: the result shares the memory of `x`. */
import { ArgumentError, ShapeError } from "../errors.ts";
import { defineOp } from "../op.ts";
import {
  checkShape,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  sizeOf,
  type Shape,
} from "../shape.ts";
import type { Tensor } from "../tensor.ts";

const reshapeOp = defineOp<readonly [Tensor], { readonly shape: Shape }>({
  name: "reshape",
  view: true,
  output: (_inputs, { shape }) => ({ shape }),
  forward: () => ({}),
  gradient: (dy, { inputs: [x] }) => [reshape(dy, x.shape)],
});

/**
 * The same elements in row-major order under another shape; one size may be -1 and is then computed from the others.
 * @throws ShapeError when the sizes do not multiply to the number of elements.
 */
export function reshape(x: Tensor, shape: Shape): Tensor {
  return reshapeAs("reshape", x, shape);
}

function reshapeAs(op: string, x: Tensor, wanted: Shape): Tensor {
  const free = wanted.indexOf(-1);
  const known = wanted.filter((_, axis) => axis !== free);
  if (known.includes(-1)) {
    throw new ShapeError(op, `more than one size is open: ${formatShape(wanted)}`, "Use -1 once");
  }
  checkShape(op, known);
  const size = sizeOf(known);
  const shape = free === -1 ? [...wanted] : wanted.with(free, size === 0 ? NaN : x.size / size);
  if (!shape.every(Number.isInteger) || sizeOf(shape) !== x.size) {
    throw new ShapeError(
      op,
      `${x.size} elements of shape ${formatShape(x.shape)} do not fill the shape ${formatShape(wanted)}`,
      free !== -1 && size === 0
        ? "-1 is ambiguous beside a size of 0; write every size"
        : "Sizes must multiply to the same number; one of them may be -1",
    );
  }
  return reshapeOp([x], { shape });
}

/**
 * Drops axes of size 1: the given ones, or all of them.
 * @throws ShapeError when a given axis has another size; ArgumentError when there is no such axis.
 */
export function squeeze(x: Tensor, axes?: number | readonly number[]): Tensor {
  const dropped = normalizeAxes("squeeze", axes, x.shape.length);
  const wrong = dropped.find((axis) => x.shape[axis] !== 1);
  if (axes !== undefined && wrong !== undefined) {
    throw new ShapeError(
      "squeeze",
      `axis ${wrong} of ${formatShape(x.shape)} has size ${x.shape[wrong] ?? 0}, not 1`,
      "Leave that axis out, or select one element of it with slice first",
    );
  }
  const kept = x.shape.filter((size, axis) => size !== 1 || !dropped.includes(axis));
  return reshapeAs("squeeze", x, kept);
}

/**
 * Puts an axis of size 1 before the axis `axis` of x; -1 puts it at the end, as in PyTorch.
 * @throws ArgumentError when there is no such place.
 */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const place = normalizeAxis("unsqueeze", axis, x.shape.length + 1);
  return reshapeAs("unsqueeze", x, x.shape.toSpliced(place, 0, 1));
}

/**
 * Merges the axes from `startAxis` to `endAxis`, both included, into one; by default all of them. A scalar becomes `[1]`.
 * `flatten(images, 1)` keeps the batch.
 * @throws ArgumentError when there is no such axis, or the start lies after the end.
 */
export function flatten(x: Tensor, startAxis = 0, endAxis = -1): Tensor {
  const rank = Math.max(1, x.shape.length);
  const start = normalizeAxis("flatten", startAxis, rank);
  const end = normalizeAxis("flatten", endAxis, rank);
  if (start > end) {
    throw new ArgumentError(
      "flatten",
      `the start lies after the end: axes ${start} and ${end}`,
      "Swap them",
    );
  }
  const merged = sizeOf(x.shape.slice(start, end + 1));
  return reshapeAs("flatten", x, x.shape.toSpliced(start, end - start + 1, merged));
}
