/** @file Sums, means and other reductions over any axes. How they are carried out: `reduce-kernels.ts`. */
import { isFloat } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { defineOp } from "../op.ts";
import { formatShape, normalizeAxes, sizeOf, type Shape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { div, mul, sub } from "./binary.ts";
import { cast } from "./cast.ts";
import { equal, where } from "./compare.ts";
import { blocksOf, reduceInto, type ReductionKind } from "./reduce-kernels.ts";
import { spreadInto } from "./spread.ts";

/** One axis, several, or all (undefined); negative ones count from the end. */
export type Axes = number | readonly number[] | undefined;

export interface ReduceOptions {
  /** Keep the reduced axes with size 1, so that the result broadcasts against the input. Default: false. */
  readonly keepDims?: boolean;
}

interface Attributes {
  readonly axes: readonly number[];
  /** Of the result. */
  readonly shape: Shape;
}

function attributesOf(
  op: string,
  x: Tensor,
  axes: Axes,
  { keepDims = false }: ReduceOptions,
): Attributes {
  const reduced = normalizeAxes(op, axes, x.shape.length);
  const kept = keptShape(x.shape, reduced);
  return {
    axes: reduced,
    shape: keepDims ? kept : kept.filter((_, axis) => !reduced.includes(axis)),
  };
}

/** The shape with the reduced axes kept as 1. */
function keptShape(shape: Shape, axes: readonly number[]): number[] {
  return shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
}

/** How many elements make one result. */
function countOf(x: Tensor, axes: readonly number[]): number {
  return sizeOf(axes.map((axis) => x.shape[axis] ?? 1));
}

function requireReal(op: string, x: Tensor): void {
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      op,
      `it takes real numbers, not ${x.dtype}: ${x.toString()}`,
      'Use cast(x, "f32") first',
    );
  }
}

/** The way back of a sum: every summand gets the gradient of its sum, times `scale`. */
function spreadBack(
  label: string,
  dy: Tensor,
  x: Tensor,
  axes: readonly number[],
  scale?: number,
): Tensor {
  const dx = Tensor.allocate(label, x.device, x.shape, x.dtype);
  spreadInto(label, dy.alias(keptShape(x.shape, axes)), dx, scale);
  return dx;
}

/** Overwrites every element. */
function fill(out: Tensor, value: number): void {
  out.write(new Float32Array(out.size).fill(value));
}

const sumOp = defineOp<readonly [Tensor], Attributes>({
  name: "sum",
  output: (_, { shape }) => ({ shape }),
  forward: ([x], out, { axes }) => {
    if (x.size === 0) fill(out, 0);
    else reduceInto(x, blocksOf(x.shape, axes), out, { kind: "SUM", label: "sum" });
    return {};
  },
  gradient: (dy, { inputs: [x], attributes: { axes } }) => [
    spreadBack("sum-gradient", dy, x, axes),
  ],
});

/**
 * The sum over the axes; 0 for no elements. Whole numbers wrap around at 32 bits. f16 is added up in f32.
 * @throws ArgumentError for an axis that does not exist.
 */
export function sum(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return sumOp([x], attributesOf("sum", x, axes, options));
}

/**
 * Sums a gradient back to the `shape` that was broadcast: over the leading axes that it lacks and over its axes of size 1.
 * @throws ShapeError when `shape` does not broadcast to that of the gradient.
 */
export function sumTo(gradient: Tensor, shape: Shape): Tensor {
  const lead = gradient.shape.length - shape.length;
  const fits =
    lead >= 0 && shape.every((size, axis) => size === 1 || size === gradient.shape[axis + lead]);
  if (!fits) {
    throw new ShapeError(
      "sumTo",
      `the shape does not broadcast to the gradient's: ${formatShape(shape)} to ${formatShape(gradient.shape)}`,
      "Sizes must be equal or 1, aligned at the last axis",
    );
  }
  const axes = gradient.shape.flatMap((size, axis) =>
    axis < lead || (shape[axis - lead] === 1 && size !== 1) ? [axis] : [],
  );
  return sumOp([gradient], { axes, shape: [...shape] });
}

const meanOp = defineOp<readonly [Tensor], Attributes>({
  name: "mean",
  output: ([x], { shape }) => {
    requireReal("mean", x);
    return { shape };
  },
  forward: ([x], out, { axes }) => {
    const divisor = countOf(x, axes);
    if (x.size === 0) fill(out, NaN);
    else reduceInto(x, blocksOf(x.shape, axes), out, { kind: "SUM", divisor, label: "mean" });
    return {};
  },
  gradient: (dy, { inputs: [x], attributes: { axes } }) => [
    spreadBack("mean-gradient", dy, x, axes, 1 / countOf(x, axes)),
  ],
});

/**
 * The arithmetic mean over the axes; NaN for no elements.
 * @throws ArgumentError for an axis that does not exist, DTypeError for whole numbers.
 */
export function mean(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return meanOp([x], attributesOf("mean", x, axes, options));
}

/** The gradient goes to the elements that equal the result, in equal parts; it is NaN where the result is. */
function defineExtreme(name: "max" | "min", kind: ReductionKind) {
  return defineOp<readonly [Tensor], Attributes>({
    name,
    output: ([x], { axes, shape }) => {
      if (countOf(x, axes) === 0) {
        throw new ArgumentError(
          name,
          `no elements to choose from: axes [${axes.join(", ")}] of ${formatShape(x.shape)}`,
          "Reduce axes that are not empty",
        );
      }
      return { shape };
    },
    forward: ([x], out, { axes }) => {
      reduceInto(x, blocksOf(x.shape, axes), out, { kind, label: name });
      return {};
    },
    gradient: (dy, { inputs: [x], out, attributes: { axes } }) => {
      const kept = keptShape(x.shape, axes);
      const isResult = cast(equal(x, out.alias(kept)), x.dtype);
      const share = div(dy.alias(kept), sum(isResult, axes, { keepDims: true }));
      return [mul(isResult, share)];
    },
  });
}

const maxOp = defineExtreme("max", "MAXIMUM");
const minOp = defineExtreme("min", "MINIMUM");

/**
 * The largest element over the axes; NaN if one is NaN. Equal ones share the gradient, as in PyTorch's `amax`.
 * @throws ArgumentError for an axis that does not exist or when there is nothing to choose from.
 */
export function max(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return maxOp([x], attributesOf("max", x, axes, options));
}

/**
 * The smallest element over the axes; NaN if one is NaN. Equal ones share the gradient, as in PyTorch's `amin`.
 * @throws ArgumentError for an axis that does not exist or when there is nothing to choose from.
 */
export function min(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return minOp([x], attributesOf("min", x, axes, options));
}

const prodOp = defineOp<readonly [Tensor], Attributes>({
  name: "prod",
  output: (_, { shape }) => ({ shape }),
  forward: ([x], out, { axes }) => {
    if (x.size === 0) fill(out, 1);
    else reduceInto(x, blocksOf(x.shape, axes), out, { kind: "PRODUCT", label: "prod" });
    return {};
  },
  gradient: (dy, { inputs: [x], attributes: { axes } }) => [prodGradient(dy, x, axes)],
});

/**
 * The gradient of an element is the product of the others. With P the product of all that are not 0:
 * P / x if no element is 0; P for a single 0 and 0 for the rest; 0 for all if there are several.
 */
function prodGradient(dy: Tensor, x: Tensor, axes: readonly number[]): Tensor {
  const isZero = equal(x, 0);
  const keepDims = { keepDims: true };
  const product = prod(where(isZero, 1, x), axes, keepDims);
  const zeros = sum(isZero, axes, keepDims);
  const forZero = where(equal(zeros, 1), product, 0);
  const forOthers = where(equal(zeros, 0), div(product, x), 0);
  return mul(dy.alias(keptShape(x.shape, axes)), where(isZero, forZero, forOthers));
}

/**
 * The product over the axes; 1 for no elements. Its gradient is right where elements are 0, too.
 * @throws ArgumentError for an axis that does not exist.
 */
export function prod(x: Tensor, axes?: Axes, options: ReduceOptions = {}): Tensor {
  return prodOp([x], attributesOf("prod", x, axes, options));
}

export interface VarianceOptions extends ReduceOptions {
  /** Subtracted from the count: 1 estimates the variance of a population from a sample, 0 is the sample's own. Default: 1. */
  readonly correction?: number;
}

interface VarianceAttributes extends Attributes {
  readonly correction: number;
}

const varianceOp = defineOp<readonly [Tensor], VarianceAttributes, { readonly center: Tensor }>({
  name: "variance",
  output: ([x], { shape }) => {
    requireReal("variance", x);
    return { shape };
  },
  forward: ([x], out, { axes, correction }) => {
    const center = mean(x, axes, { keepDims: true });
    const divisor = freedom(x, axes, correction);
    if (x.size === 0) fill(out, NaN);
    else {
      const deviations = sub(x, center);
      reduceInto(deviations, blocksOf(x.shape, axes), out, {
        kind: "SUM",
        square: true,
        divisor,
        label: "variance",
      });
    }
    return { center };
  },
  gradient: (dy, { inputs: [x], attributes: { axes, correction }, saved: { center } }) => {
    const scaled = mul(dy.alias(center.shape), 2 / freedom(x, axes, correction));
    return [mul(sub(x, center), scaled)];
  },
});

/** Degrees of freedom, which PyTorch keeps from going below 0: the variance of one sample is 0 / 0, NaN. */
function freedom(x: Tensor, axes: readonly number[], correction: number): number {
  return Math.max(0, countOf(x, axes) - correction);
}

/**
 * The mean square distance from the mean, `sum((x - mean)^2) / (count - correction)`: as `torch.var`. In two passes, so that
 * it is exact for data far from 0. NaN when count - correction is not above 0 and all elements are equal.
 *
 * @throws ArgumentError for an axis that does not exist or a negative correction, DTypeError for whole numbers.
 */
export function variance(x: Tensor, axes?: Axes, options: VarianceOptions = {}): Tensor {
  const { correction = 1 } = options;
  if (!(correction >= 0 && Number.isFinite(correction))) {
    throw new ArgumentError(
      "variance",
      `correction is not a number >= 0: ${correction}`,
      "Use 1, or 0 for a whole population",
    );
  }
  const attributes = { ...attributesOf("variance", x, axes, options), correction };
  // The mean must be more exact than f16 for the distances from it to be right.
  return x.dtype === "f16"
    ? cast(varianceOp([cast(x, "f32")], attributes), "f16")
    : varianceOp([x], attributes);
}
