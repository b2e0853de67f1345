/**
 * @file Shapes, strides, axes and broadcasting. Pure, no GPU. Tensors are contiguous and row-major, so a shape says all.
 */
import { ArgumentError, ShapeError } from "./errors.ts";

/** Sizes of the axes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** The most axes a tensor may have; kernels with general strides carry this many in their uniforms. */
export const maxRank = 8;

/** Number of elements: the product of the sizes (1 for a scalar). */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Row-major strides in elements: `[2, 3, 4]` gives `[12, 4, 1]`. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis] ?? 1;
  }
  return strides;
}

/** `[2, 3]` as errors and summaries print it. */
export function formatShape(shape: Shape): string {
  return `[${shape.join(", ")}]`;
}

export function shapesEqual(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}

/** Throws a `ShapeError` unless every size is a whole number of at least 0 and the rank is at most `maxRank`. */
export function checkShape(op: string, shape: Shape): void {
  const bad = shape.find((size) => !Number.isSafeInteger(size) || size < 0);
  if (bad !== undefined) {
    throw new ShapeError(
      op,
      `a size is not a whole number >= 0: ${formatShape(shape)}`,
      "Pass non-negative integers",
    );
  }
  if (shape.length > maxRank) {
    throw new ShapeError(
      op,
      `too many axes: ${formatShape(shape)} has ${shape.length}, the most is ${maxRank}`,
      "Merge axes with reshape first",
    );
  }
}

/** Resolves a negative axis as Python does: -1 is the last. Throws `ArgumentError` outside `-rank..rank-1`. */
export function normalizeAxis(op: string, axis: number, rank: number): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank) {
    throw new ArgumentError(
      op,
      `axis out of range: ${axis} for a tensor of ${rank} axes`,
      rank === 0 ? "A scalar has no axes" : `Use ${-rank} to ${rank - 1}`,
    );
  }
  return resolved;
}

/** Sorted, distinct, non-negative axes; `undefined` means all of them. */
export function normalizeAxes(
  op: string,
  axes: number | readonly number[] | undefined,
  rank: number,
): number[] {
  if (axes === undefined) return Array.from({ length: rank }, (_, axis) => axis);
  const list = (typeof axes === "number" ? [axes] : [...axes]).map((axis) =>
    normalizeAxis(op, axis, rank),
  );
  if (new Set(list).size !== list.length) {
    throw new ArgumentError(
      op,
      `an axis is named twice: [${list.join(", ")}]`,
      "Name each axis once",
    );
  }
  return list.sort((a, b) => a - b);
}

/**
 * The common shape of NumPy's broadcasting rule: align at the last axis; sizes must be equal or one of them 1.
 * Source: https://numpy.org/doc/stable/user/basics.broadcasting.html
 */
export function broadcastShapes(op: string, a: Shape, b: Shape): number[] {
  const rank = Math.max(a.length, b.length);
  const result = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const left = a.at(-i) ?? 1;
    const right = b.at(-i) ?? 1;
    if (i > a.length || i > b.length || left === right || left === 1 || right === 1) {
      result[rank - i] = i > a.length ? right : i > b.length ? left : left === 1 ? right : left;
    } else {
      throw new ShapeError(
        op,
        `shapes do not broadcast: ${formatShape(a)} and ${formatShape(b)} differ at axis -${i} (${left} and ${right})`,
        "Sizes must be equal or 1, aligned at the last axis; reshape or expand one of them",
      );
    }
  }
  return result;
}

/** Strides that walk `shape` as if it had been broadcast to `target`: 0 where an axis is repeated. */
export function broadcastStrides(shape: Shape, target: Shape): number[] {
  const strides = stridesOf(shape);
  const lead = target.length - shape.length;
  return target.map((_, axis) =>
    axis < lead || shape[axis - lead] === 1 ? 0 : (strides[axis - lead] ?? 0),
  );
}

/**
 * The same walk over fewer axes: drops those of size 1 and merges neighbours that every list of strides takes as one, so that
 * kernels which find elements by strides divide less often. `[2, 3, 4]` with strides `[12, 4, 1]` and `[0, 0, 0]` becomes `[24]`
 * with `[1]` and `[0]`.
 */
export function mergeAxes<Lists extends readonly (readonly number[])[]>(
  shape: Shape,
  strideLists: Lists,
): { shape: number[]; strides: { [I in keyof Lists]: number[] } } {
  const merged: number[] = [];
  const kept: number[] = [];
  shape.forEach((size, axis) => {
    if (size === 1) return;
    const outer = kept.at(-1);
    const joins =
      outer !== undefined && strideLists.every((list) => list[outer] === (list[axis] ?? 0) * size);
    if (joins) kept[kept.length - 1] = axis;
    else kept.push(axis);
    merged[kept.length - 1] = size * (joins ? (merged[kept.length - 1] ?? 1) : 1);
  });
  const strides = strideLists.map((list) => kept.map((axis) => list[axis] ?? 0));
  return { shape: merged, strides: strides as { [I in keyof Lists]: number[] } };
}

/** Smallest integer at least `a / b`. */
export function ceilDiv(a: number, b: number): number {
  return Math.ceil(a / b);
}
