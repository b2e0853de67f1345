/** @file Members of `struct Params` for walks through several tensors. The shader's side is `shaders/lib/walk.wgsl`. */
import { mergeAxes, sizeOf, type Shape } from "../shape.ts";

/** Members of `struct Params`, named as there; axes count from the innermost. */
export interface WalkParams {
  readonly shape: readonly number[];
  readonly jump: readonly number[];
  readonly start: readonly number[];
  readonly strides: readonly number[];
}

/** A shader that does not walk ignores these. */
export const noWalk: WalkParams = { shape: [], jump: [], start: [], strides: [] };

/** The axes of a walk, outermost first, at least one. */
export interface WalkAxes {
  readonly shape: readonly number[];
  /** For each tensor the strides of these axes. */
  readonly strides: readonly (readonly number[])[];
}

/** The same walk over as few axes as it allows. */
export function walkAxes(shape: Shape, strides: readonly (readonly number[])[]): WalkAxes {
  const merged = mergeAxes(shape, strides);
  if (merged.shape.length > 0) return merged;
  return { shape: [1], strides: strides.map(() => [1]) };
}

/** Params of a walk whose jumps go on by `distance` elements of its shape; each tensor begins at its `start`. */
export function walkParams(
  { shape, strides }: WalkAxes,
  distance: number,
  start: readonly number[] = [],
): WalkParams {
  const inward = shape.toReversed();
  return {
    shape: inward,
    jump: digitsOf(distance, inward),
    start,
    strides: inward.flatMap((_, axis) =>
      Array.from({ length: 4 }, (__, tensor) => strides[tensor]?.at(-1 - axis) ?? 0),
    ),
  };
}

/** How far `distance` elements lead along each axis, innermost first; whole rounds are dropped. */
function digitsOf(distance: number, inward: readonly number[]): number[] {
  let rest = distance % sizeOf(inward);
  return inward.map((size) => {
    const digit = rest % size;
    rest = (rest - digit) / size;
    return digit;
  });
}
