/** @file Parts of a tensor: from, to, every so many, along each axis; and cutting into pieces. */
import { ArgumentError, ShapeError } from "../errors.ts";
import { defineOp, zerosLike } from "../op.ts";
import { formatShape, normalizeAxis, stridesOf, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { copyAxes, copyStrided } from "./strided-copy.ts";

/** Which elements of one axis: `start`, `start + step`, ..., `count` of them. */
interface AxisRange {
  readonly start: number;
  readonly step: number;
  readonly count: number;
}

const sliceOp = defineOp<readonly [Tensor], { readonly ranges: readonly AxisRange[] }>({
  name: "slice",
  output: (_inputs, { ranges }) => ({ shape: ranges.map(({ count }) => count) }),
  forward: ([x], out, { ranges }) => {
    const { strides, offset } = partialWalk(x.shape, ranges);
    copyStrided("slice", x, out, copyAxes(out.shape, { xStrides: strides }), { xOffset: offset });
    return {};
  },
  gradient: (dy, { inputs: [x], attributes: { ranges } }) => {
    const dx = zerosLike(x);
    const { strides, offset } = partialWalk(x.shape, ranges);
    copyStrided("slice-gradient", dy, dx, copyAxes(dy.shape, { outStrides: strides }), {
      outOffset: offset,
    });
    return [dx];
  },
});

/** How the chosen elements lie in the whole tensor. */
function partialWalk(
  shape: Shape,
  ranges: readonly AxisRange[],
): { strides: number[]; offset: number } {
  const whole = stridesOf(shape);
  return {
    strides: ranges.map(({ step }, axis) => step * (whole[axis] ?? 0)),
    offset: ranges.reduce((sum, { start }, axis) => sum + start * (whole[axis] ?? 0), 0),
  };
}

/** A place on an axis; negative counts from the end, null means as far as it goes. */
export type SliceBound = number | null;

/**
 * What Python writes as `x[start:end:step, ...]`, one number an axis; axes that are not named stay whole. Bounds beyond the axis
 * are cut to it, negative ones count from the end, and a negative step walks backwards. Returns `x` itself when all of it is
 * chosen.
 *
 * ```ts
 * slice(x, [0, -3], [2, null]); // x[0:2, -3:]
 * slice(x, [null], [null], [-1]); // x[::-1]
 * ```
 * @throws ShapeError when more axes are named than x has.
 * @throws ArgumentError when the lists differ in length, a step is 0, or a number is not whole.
 */
export function slice(
  x: Tensor,
  starts: readonly SliceBound[],
  ends: readonly SliceBound[],
  steps: readonly number[] = starts.map(() => 1),
): Tensor {
  if (starts.length !== ends.length || starts.length !== steps.length) {
    throw new ArgumentError(
      "slice",
      `the lists differ in length: ${starts.length} starts, ${ends.length} ends, ${steps.length} steps`,
      "Give one of each for every axis; null means as far as it goes",
    );
  }
  if (starts.length > x.shape.length) {
    throw new ShapeError(
      "slice",
      `${starts.length} axes are named, but ${formatShape(x.shape)} has ${x.shape.length}`,
      "Name at most the axes that there are",
    );
  }
  const ranges = x.shape.map((size, axis) =>
    resolveRange(size, starts[axis] ?? null, ends[axis] ?? null, steps[axis] ?? 1),
  );
  const isWhole = ranges.every(
    ({ start, step, count }, axis) => start === 0 && step === 1 && count === x.shape[axis],
  );
  return isWhole ? x : sliceOp([x], { ranges });
}

/** Source of the rules: Python's `slice.indices`, https://docs.python.org/3/reference/datamodel.html#slice.indices */
function resolveRange(size: number, start: SliceBound, end: SliceBound, step: number): AxisRange {
  if (step === 0 || ![start ?? 0, end ?? 0, step].every(Number.isInteger)) {
    throw new ArgumentError(
      "slice",
      `no range: start ${start ?? "null"}, end ${end ?? "null"}, step ${step}`,
      "Use whole numbers, and a step that is not 0",
    );
  }
  // Backwards, the walk may begin at the last element and end before the first one.
  const [low, high] = step > 0 ? [0, size] : [-1, size - 1];
  const resolve = (bound: number): number =>
    Math.min(high, Math.max(low, bound < 0 ? bound + size : bound));
  const first = start === null ? (step > 0 ? low : high) : resolve(start);
  const last = end === null ? (step > 0 ? high : low) : resolve(end);
  const count = Math.max(0, Math.ceil((last - first) / step));
  return { start: count === 0 ? 0 : first, step, count };
}

/**
 * Cuts an axis into pieces: of `size` elements each, the last one what is left, or of the sizes in a list.
 * @throws ArgumentError unless the size is a whole number of at least 1, or the list adds up to the size of the axis.
 */
export function split(x: Tensor, size: number | readonly number[], axis = 0): Tensor[] {
  const along = normalizeAxis("split", axis, x.shape.length);
  const length = x.shape[along] ?? 0;
  const sizes = typeof size === "number" ? equalPieces(size, length) : size;
  const total = sizes.reduce((sum, piece) => sum + piece, 0);
  if (total !== length || !sizes.every((piece) => Number.isInteger(piece) && piece >= 0)) {
    throw new ArgumentError(
      "split",
      `the sizes [${sizes.join(", ")}] do not add up to axis ${along} of ${formatShape(x.shape)}`,
      `Use whole numbers with the sum ${length}`,
    );
  }
  let start = 0;
  return sizes.map((piece) => {
    const starts = x.shape.map((_, k): SliceBound => (k === along ? start : null));
    const ends = x.shape.map((_, k): SliceBound => (k === along ? start + piece : null));
    start += piece;
    return slice(x, starts, ends);
  });
}

function equalPieces(size: number, length: number): number[] {
  if (!Number.isInteger(size) || size < 1) {
    throw new ArgumentError(
      "split",
      `the size of a piece is not a whole number >= 1: ${size}`,
      "Use 1 or more",
    );
  }
  const count = Math.max(1, Math.ceil(length / size));
  return Array.from({ length: count }, (_, i) => Math.min(size, length - i * size));
}

/**
 * Cuts an axis into at most `count` pieces of equal size, the last one possibly smaller, as PyTorch's function does.
 * @throws ArgumentError unless `count` is a whole number of at least 1.
 */
export function chunk(x: Tensor, count: number, axis = 0): Tensor[] {
  if (!Number.isInteger(count) || count < 1) {
    throw new ArgumentError(
      "chunk",
      `the number of pieces is not a whole number >= 1: ${count}`,
      "Use 1 or more",
    );
  }
  const along = normalizeAxis("chunk", axis, x.shape.length);
  return split(x, Math.max(1, Math.ceil((x.shape[along] ?? 0) / count)), along);
}
