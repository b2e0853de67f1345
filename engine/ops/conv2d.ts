/**
 * @file Convolutions of images, their two gradients as ops of their own, and the transposed convolution. Kernels:
 * `conv2d/`; options and sizes: `conv2d-geometry.ts`.
 */
import { isFloat } from "../dtype.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { defineOp, type Op, type Saved } from "../op.ts";
import { formatShape, shapesEqual, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { add } from "./binary.ts";
import {
  convolutionGeometry,
  inputShape,
  outputShape,
  transposedGeometry,
  weightShape,
  type ConvolutionOptions,
  type Geometry,
  type TransposedOptions,
} from "./conv2d-geometry.ts";
import { forwardFamily } from "./conv2d/forward.ts";
import { byGeometry, type ForwardProblem } from "./conv2d/launch.ts";
import { inputGradientFamily } from "./conv2d/input-gradient.ts";
import { weightGradientFamily } from "./conv2d/weight-gradient.ts";
import { sum } from "./reduce.ts";

export type { Conv2dPadding } from "./conv2d-geometry.ts";

export interface Conv2dOptions extends ConvolutionOptions {
  /** [outChannels], added to every pixel. Default: none. */
  readonly bias?: Tensor;
}

export interface Conv2dTransposeOptions extends TransposedOptions {
  /** [outChannels], added to every pixel. Default: none. */
  readonly bias?: Tensor;
}

function requireReal(op: string, tensors: readonly Tensor[]): void {
  const [first] = tensors;
  if (first === undefined || (isFloat(first.dtype) && tensors.every(sameType))) return;
  throw new DTypeError(
    op,
    `it takes tensors of one real type: ${tensors.map(({ dtype }) => dtype).join(" and ")}`,
    'Use cast(x, "f32") first',
  );
}

function sameType({ dtype }: Tensor, _index: number, [first]: readonly Tensor[]): boolean {
  return dtype === first?.dtype;
}

function requireShape(op: string, what: string, x: Tensor, shape: Shape): void {
  if (shapesEqual(x.shape, shape)) return;
  throw new ShapeError(
    op,
    `${what} has the shape ${formatShape(x.shape)}, not ${formatShape(shape)}`,
    "It must fit the channels and the geometry of the convolution",
  );
}

// The three ops are linear in each of their inputs, and each is a gradient of the others: with out = x * w, the sum of
// dy out is a sum of products x w dy, and any two of the three make the gradient of the third.

const withBias = byGeometry((geometry): ForwardProblem => ({ ...geometry, bias: true }));

type Two = readonly [Tensor, Tensor];
type TwoAndBias = readonly [Tensor, Tensor, ...Tensor[]];

const conv2dOp: Op<TwoAndBias, Geometry, Saved> = defineOp({
  name: "conv2d",
  output: (inputs, geometry) => {
    const [, , bias] = inputs;
    requireReal("conv2d", inputs);
    if (bias !== undefined) requireShape("conv2d", "bias", bias, [geometry.outChannels]);
    return { shape: outputShape(geometry) };
  },
  forward: ([x, w, bias], out, geometry) => {
    const problem = bias === undefined ? geometry : withBias(geometry);
    forwardFamily.run(out.device, { x, w, bias, out }, problem);
    return {};
  },
  gradient: (dy, { inputs: [x, w], attributes, needs }) => [
    needs[0] === true ? inputGradientOp([dy, w], attributes) : null,
    needs[1] === true ? weightGradientOp([x, dy], attributes) : null,
    needs[2] === true ? sum(dy, [0, 1, 2]) : null,
  ],
});

const inputGradientOp: Op<Two, Geometry, Saved> = defineOp({
  name: "conv2dInputGradient",
  output: (inputs, geometry) => {
    requireReal("conv2dInputGradient", inputs);
    return { shape: inputShape(geometry) };
  },
  forward: ([dy, w], dx, geometry) => {
    inputGradientFamily.run(dx.device, { dy, w, dx }, geometry);
    return {};
  },
  gradient: (g, { inputs: [dy, w], attributes, needs }) => [
    needs[0] === true ? conv2dOp([g, w], attributes) : null,
    needs[1] === true ? weightGradientOp([g, dy], attributes) : null,
  ],
});

const weightGradientOp: Op<Two, Geometry, Saved> = defineOp({
  name: "conv2dWeightGradient",
  output: (inputs, geometry) => {
    requireReal("conv2dWeightGradient", inputs);
    return { shape: weightShape(geometry) };
  },
  forward: ([x, dy], dw, geometry) => {
    weightGradientFamily.run(dw.device, { x, dy, dw }, geometry);
    return {};
  },
  gradient: (g, { inputs: [x, dy], attributes, needs }) => [
    needs[0] === true ? inputGradientOp([dy, g], attributes) : null,
    needs[1] === true ? conv2dOp([x, g], attributes) : null,
  ],
});

/**
 * Cross-correlation of images, as PyTorch's `conv2d` but with channels last:
 *
 *     out[n, y, x, o] = bias[o] + sum over r, s, c of
 *       x[n, y stride + r dilation - padding, x stride + s dilation - padding, c] w[r, s, c, o]
 *
 * over the channels c of the group of o, with zeros outside the image. Sums are f32, for f16 too. The gradients are kernels of their
 * own; that of w adds up the images in a fixed order, so the same input gives the same bits.
 *
 * @param x [batch, height, width, inChannels]
 * @param w [kernelHeight, kernelWidth, inChannels / groups, outChannels]
 * @returns [batch, outHeight, outWidth, outChannels], where
 * `outHeight = floor((height + padding - dilation (kernelHeight - 1) - 1) / stride) + 1`, with the padding of both sides
 * @throws ShapeError when the shapes do not fit together, DTypeError unless all have one real type, ArgumentError for options that
 * are no sizes.
 */
export function conv2d(x: Tensor, w: Tensor, options: Conv2dOptions = {}): Tensor {
  const { bias } = options;
  const geometry = convolutionGeometry("conv2d", x.shape, w.shape, options);
  return conv2dOp(bias === undefined ? [x, w] : [x, w, bias], geometry);
}

/**
 * The transposed convolution, as PyTorch's `conv_transpose2d` but with channels last: the gradient of the convolution with
 * kernel w and these options with respect to its input. It spreads every pixel of x over a kernel's area.
 *
 * @param x [batch, height, width, inChannels]
 * @param w [kernelHeight, kernelWidth, outChannels / groups, inChannels]: the weights of the convolution that goes the other way
 * @returns [batch, outHeight, outWidth, outChannels], where
 * `outHeight = (height - 1) stride - padding + dilation (kernelHeight - 1) + outputPadding + 1`, with the padding of both sides
 * @throws ShapeError when the shapes do not fit together, DTypeError unless all have one real type, ArgumentError for options that
 * are no sizes.
 */
export function conv2dTranspose(
  x: Tensor,
  w: Tensor,
  options: Conv2dTransposeOptions = {},
): Tensor {
  const { bias } = options;
  const geometry = transposedGeometry("conv2dTranspose", x.shape, w.shape, options);
  const out = inputGradientOp([x, w], geometry);
  if (bias === undefined) return out;
  requireShape("conv2dTranspose", "bias", bias, [geometry.inChannels]);
  return add(out, bias);
}

/** The gradient of `conv2d(x, w, options)` with respect to x, of shape `xShape`, from that of its result. */
export function conv2dInputGradient(
  dy: Tensor,
  w: Tensor,
  xShape: Shape,
  options: ConvolutionOptions = {},
): Tensor {
  const geometry = convolutionGeometry("conv2dInputGradient", xShape, w.shape, options);
  requireShape("conv2dInputGradient", "dy", dy, outputShape(geometry));
  return inputGradientOp([dy, w], geometry);
}

/** The gradient of `conv2d(x, w, options)` with respect to w, of shape `wShape`, from that of its result. */
export function conv2dWeightGradient(
  x: Tensor,
  dy: Tensor,
  wShape: Shape,
  options: ConvolutionOptions = {},
): Tensor {
  const geometry = convolutionGeometry("conv2dWeightGradient", x.shape, wShape, options);
  requireShape("conv2dWeightGradient", "dy", dy, outputShape(geometry));
  return weightGradientOp([x, dy], geometry);
}
