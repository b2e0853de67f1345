/** @file Several tensors into one. */
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { defineOp } from "../op.ts";
import { formatShape, normalizeAxis, shapesEqual, stridesOf } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { unsqueeze } from "./reshape.ts";
import { slice } from "./slice.ts";
import { copyAxes, copyStrided } from "./strided-copy.ts";

const concatOp = defineOp<readonly Tensor[], { readonly axis: number }>({
  name: "concat",
  output: ([first, ...others], { axis }) => {
    const shape = [...(first?.shape ?? [])];
    for (const { shape: other } of others) shape[axis] = (shape[axis] ?? 0) + (other[axis] ?? 0);
    return { shape };
  },
  forward: (tensors, out, { axis }) => {
    const outStrides = stridesOf(out.shape);
    let start = 0;
    for (const x of tensors) {
      const outOffset = start * (outStrides[axis] ?? 0);
      copyStrided("concat", x, out, copyAxes(x.shape, { outStrides }), { outOffset });
      start += x.shape[axis] ?? 0;
    }
    return {};
  },
  gradient: (dy, { inputs, attributes: { axis }, needs }) => {
    const sizes = inputs.map(({ shape }) => shape[axis] ?? 0);
    const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, size) => sum + size, 0));
    return sizes.map((size, i) =>
      needs[i] === true ? piece(dy, axis, starts[i] ?? 0, size) : null,
    );
  },
});

/** `size` elements of an axis from `start` on. */
function piece(x: Tensor, axis: number, start: number, size: number): Tensor {
  const bounds = (bound: number): (number | null)[] =>
    x.shape.map((_, k) => (k === axis ? bound : null));
  return slice(x, bounds(start), bounds(start + size));
}

/**
 * Joins tensors one after another along an axis that they have; all other sizes must be equal.
 * @throws ArgumentError for an empty list; ShapeError, DTypeError, DeviceError when the tensors do not fit together.
 */
export function concat(tensors: readonly Tensor[], axis = 0): Tensor {
  const first = firstOf("concat", tensors);
  const along = normalizeAxis("concat", axis, first.shape.length);
  for (const x of tensors) {
    const fits =
      x.shape.length === first.shape.length &&
      x.shape.every((size, k) => k === along || size === first.shape[k]);
    if (!fits) {
      throw new ShapeError(
        "concat",
        `the shapes ${formatShape(first.shape)} and ${formatShape(x.shape)} differ beside axis ${along}`,
        "Only the axis of joining may differ in size; use stack to join along a new axis",
      );
    }
  }
  return concatOp(tensors, { axis: along });
}

/**
 * Joins tensors of equal shape along a new axis.
 * @throws ArgumentError for an empty list; ShapeError, DTypeError, DeviceError when the tensors do not fit together.
 */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  const first = firstOf("stack", tensors);
  const along = normalizeAxis("stack", axis, first.shape.length + 1);
  const other = tensors.find(({ shape }) => !shapesEqual(shape, first.shape));
  if (other !== undefined) {
    throw new ShapeError(
      "stack",
      `the shapes ${formatShape(first.shape)} and ${formatShape(other.shape)} differ`,
      "Stack tensors of one shape; use concat to join along an axis that they have",
    );
  }
  return concat(
    tensors.map((x) => unsqueeze(x, along)),
    along,
  );
}

function firstOf(op: string, tensors: readonly Tensor[]): Tensor {
  const [first] = tensors;
  if (first === undefined)
    throw new ArgumentError(op, "there is nothing to join: []", "Pass at least one tensor");
  const other = tensors.find(({ dtype }) => dtype !== first.dtype);
  if (other !== undefined) {
    throw new DTypeError(
      op,
      `the element types differ: ${first.dtype} and ${other.dtype}`,
      "Use cast on one of them",
    );
  }
  return first;
}
