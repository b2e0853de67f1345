/** @file What a convolution looks like: options, sizes of the three tensors, padding. Pure, no GPU. Formula: `shaders/conv2d/geometry.wgsl`. */
import { ArgumentError, ShapeError } from "../errors.ts";
import { Remembered, type Step } from "../remember.ts";
import { ceilDiv, formatShape, type Shape } from "../shape.ts";
import type { Size2d } from "./pool-window.ts";

type Pair = readonly [height: number, width: number];
type Sides = readonly [top: number, bottom: number, left: number, right: number];

/**
 * Rows and columns of zeros around the image: the same on all sides, `[height, width]`, or `[top, bottom, left, right]`. "valid" is
 * none. "same" is as much as makes the result `ceil(size / stride)`, the odd one at the bottom and right.
 */
export type Conv2dPadding = Size2d | Sides | "same" | "valid";

export interface ConvolutionOptions {
  /** From one output pixel to the next. Default: 1. */
  readonly stride?: Size2d;
  /** Default: 0. */
  readonly padding?: Conv2dPadding;
  /** From one element of the kernel to the next. Default: 1. */
  readonly dilation?: Size2d;
  /** Parts into which the channels are cut; each part of the output sees one part of the input. Default: 1. */
  readonly groups?: number;
}

export interface TransposedOptions {
  /** From one input pixel to the next, in pixels of the output. Default: 1. */
  readonly stride?: Size2d;
  /** Rows and columns cut off the result, as `Conv2dPadding`. Default: 0. */
  readonly padding?: Size2d | Sides;
  /** Rows and columns added to the result at the bottom and right; less than stride or dilation. Default: 0. */
  readonly outputPadding?: Size2d;
  /** From one element of the kernel to the next. Default: 1. */
  readonly dilation?: Size2d;
  /** Parts into which the channels are cut. Default: 1. */
  readonly groups?: number;
}

/**
 * A convolution from `x` [batch, height, width, inChannels] with `w` [kernelHeight, kernelWidth, inChannels / groups,
 * outChannels] to `out` [batch, outHeight, outWidth, outChannels].
 */
export interface Geometry {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
  readonly inChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly outChannels: number;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  /** Padding at the top and at the left; the rest follows from the size of `out`. */
  readonly pad: Pair;
  readonly groups: number;
}

export function inputShape({ batch, height, width, inChannels }: Geometry): Shape {
  return [batch, height, width, inChannels];
}

export function weightShape({ kernel, inChannels, outChannels, groups }: Geometry): Shape {
  return [...kernel, inChannels / groups, outChannels];
}

export function outputShape({ batch, outHeight, outWidth, outChannels }: Geometry): Shape {
  return [batch, outHeight, outWidth, outChannels];
}

const geometries = new Remembered<Geometry>();

/**
 * The geometry of `conv2d(x, w)`: the same object for the same arguments, so that what follows from it can be remembered by it.
 * @throws ShapeError when the shapes do not fit together, ArgumentError for options that are no sizes.
 */
export function convolutionGeometry(
  op: string,
  x: Shape,
  w: Shape,
  options: ConvolutionOptions,
): Geometry {
  const key = keyOf(op, x, w, options);
  return geometries.find(key, () => computeGeometry(op, x, w, options));
}

function keyOf(op: string, x: Shape, w: Shape, options: ConvolutionOptions): Step[] {
  const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
  const key: Step[] = [op, x.length, ...x, w.length, ...w, groups];
  for (const size of [stride, padding, dilation]) {
    if (typeof size === "object") key.push("list", size.length, ...size);
    else key.push(size);
  }
  return key;
}

function computeGeometry(op: string, x: Shape, w: Shape, options: ConvolutionOptions): Geometry {
  const { stride, dilation, groups } = commonOptions(op, options);
  const kernel = kernelOf(op, w);
  const [batch = 0, height = 0, width = 0, inChannels = 0] = imagesOf(op, x);
  const [perGroup = 0, outChannels = 0] = w.slice(2);
  if (perGroup * groups !== inChannels) {
    throw new ShapeError(
      op,
      `the channels do not fit: x ${formatShape(x)} has ${inChannels}, w ${formatShape(w)} takes ${perGroup} in each of ${groups} groups`,
      "The weights are [kernelHeight, kernelWidth, inChannels / groups, outChannels], images [batch, height, width, channels]",
    );
  }
  requireGroups(op, outChannels, groups);
  const size: Pair = [height, width];
  const sides = sidesOf(op, options.padding ?? 0, { size, kernel, stride, dilation });
  const out = ([0, 1] as const).map((axis) => {
    const padded = size[axis] + sides[(2 * axis) as 0 | 2] + sides[(2 * axis + 1) as 1 | 3];
    return Math.floor((padded - span(kernel, dilation, axis)) / stride[axis]) + 1;
  });
  const [outHeight = 0, outWidth = 0] = out;
  if (outHeight < 1 || outWidth < 1) {
    throw new ShapeError(
      op,
      `the kernel is larger than the padded image: kernel ${formatShape(kernel)}, dilation ${formatShape(dilation)}, image ${formatShape(size)}, padding ${formatShape(sides)}`,
      "Use larger images, more padding or a smaller kernel",
    );
  }
  const sizes = { batch, height, width, inChannels, outHeight, outWidth, outChannels };
  return { ...sizes, kernel, stride, dilation, pad: [sides[0], sides[2]], groups };
}

/**
 * The geometry of the convolution whose input gradient is `conv2dTranspose(x, w)`: `x` takes the place of its result.
 * @throws ShapeError when the shapes do not fit together, ArgumentError for options that are no sizes.
 */
export function transposedGeometry(
  op: string,
  x: Shape,
  w: Shape,
  options: TransposedOptions,
): Geometry {
  const { stride, dilation, groups } = commonOptions(op, options);
  const kernel = kernelOf(op, w);
  const [batch = 0, outHeight = 0, outWidth = 0, outChannels = 0] = imagesOf(op, x);
  const [perGroup = 0, channels = 0] = w.slice(2);
  if (channels !== outChannels) {
    throw new ShapeError(
      op,
      `the channels do not fit: x ${formatShape(x)} has ${outChannels}, w ${formatShape(w)} takes ${channels}`,
      "The weights are [kernelHeight, kernelWidth, outChannels / groups, inChannels], images [batch, height, width, channels]",
    );
  }
  requireGroups(op, outChannels, groups);
  const size: Pair = [outHeight, outWidth];
  const sides = sidesOf(op, options.padding ?? 0, { size, kernel, stride, dilation });
  const extra = pairOf(op, "outputPadding", options.outputPadding ?? 0, 0);
  const [height = 0, width = 0] = ([0, 1] as const).map((axis) => {
    const cut = sides[(2 * axis) as 0 | 2] + sides[(2 * axis + 1) as 1 | 3];
    return (size[axis] - 1) * stride[axis] - cut + span(kernel, dilation, axis) + extra[axis];
  });
  requireOutputPadding(op, extra, stride, dilation);
  if (height < 1 || width < 1 || outHeight < 1 || outWidth < 1) {
    throw new ShapeError(
      op,
      `nothing is left of the result: ${formatShape([height, width])} from ${formatShape(x)} with padding ${formatShape(sides)}`,
      "Use less padding or larger images",
    );
  }
  const inChannels = perGroup * groups;
  const sizes = { batch, height, width, inChannels, outHeight, outWidth, outChannels };
  return { ...sizes, kernel, stride, dilation, pad: [sides[0], sides[2]], groups };
}

/** Pixels from the first to the last element of the kernel, both included. */
function span(kernel: Pair, dilation: Pair, axis: 0 | 1): number {
  return dilation[axis] * (kernel[axis] - 1) + 1;
}

interface Common {
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

function commonOptions(op: string, options: Omit<ConvolutionOptions, "padding">): Common {
  const { stride = 1, dilation = 1, groups = 1 } = options;
  if (!Number.isSafeInteger(groups) || groups < 1) {
    throw new ArgumentError(
      op,
      `groups is no count: ${groups}`,
      "Use a whole number of at least 1",
    );
  }
  return {
    stride: pairOf(op, "stride", stride, 1),
    dilation: pairOf(op, "dilation", dilation, 1),
    groups,
  };
}

function pairOf(op: string, name: string, size: Size2d, least: number): Pair {
  const pair = typeof size === "number" ? ([size, size] as const) : size;
  // A call from JavaScript may pass a list of another length.
  const { length } = pair as readonly number[];
  if (length !== 2 || !pair.every((n) => Number.isSafeInteger(n) && n >= least)) {
    throw new ArgumentError(
      op,
      `${name} is no size: ${JSON.stringify(size)}`,
      `Use a whole number of at least ${least}, or [height, width] of such`,
    );
  }
  // A copy: the caller may change its list.
  return [pair[0], pair[1]];
}

function imagesOf(op: string, x: Shape): Shape {
  if (x.length === 4) return x;
  throw new ShapeError(
    op,
    `x is no batch of images: ${formatShape(x)}`,
    "It takes [batch, height, width, channels]; unsqueeze(x, 0) makes a batch of one image",
  );
}

function kernelOf(op: string, w: Shape): Pair {
  const [height = 0, width = 0] = w;
  if (w.length === 4 && !w.includes(0)) return [height, width];
  throw new ShapeError(
    op,
    `w is no convolution kernel: ${formatShape(w)}`,
    "It takes [kernelHeight, kernelWidth, channels, channels], all of at least 1; permute(w, [2, 3, 1, 0]) turns PyTorch's weights round",
  );
}

function requireGroups(op: string, channels: number, groups: number): void {
  if (channels % groups === 0) return;
  throw new ShapeError(
    op,
    `${groups} groups do not divide ${channels} channels`,
    "Use a number of groups that divides the channels of both sides",
  );
}

/** As PyTorch: a larger one would leave rows that no pixel can reach. */
function requireOutputPadding(op: string, extra: Pair, stride: Pair, dilation: Pair): void {
  const fits = extra.every((size, axis) => {
    return size < Math.max(stride[axis as 0 | 1], dilation[axis as 0 | 1]);
  });
  if (fits) return;
  throw new ArgumentError(
    op,
    `outputPadding is too large: ${formatShape(extra)} for stride ${formatShape(stride)} and dilation ${formatShape(dilation)}`,
    "It must be less than stride or dilation",
  );
}

interface Window {
  readonly size: Pair;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
}

function sidesOf(op: string, padding: Conv2dPadding, window: Window): Sides {
  if (padding === "valid") return [0, 0, 0, 0];
  if (padding === "same") {
    const [top, bottom] = sameSides(window, 0);
    const [left, right] = sameSides(window, 1);
    return [top, bottom, left, right];
  }
  if (typeof padding === "object" && padding.length === 4) {
    if (padding.every((n) => Number.isSafeInteger(n) && n >= 0)) return padding;
  } else if (typeof padding !== "string") {
    const [y, x] = pairOf(op, "padding", padding, 0);
    return [y, y, x, x];
  }
  throw new ArgumentError(
    op,
    `padding is no size: ${JSON.stringify(padding)}`,
    'Use a whole number of at least 0, [height, width], [top, bottom, left, right], "same" or "valid"',
  );
}

/** Source: ONNX, operator Conv, auto_pad SAME_UPPER; for stride 1 the same as PyTorch's "same". */
function sameSides(
  { size, kernel, stride, dilation }: Window,
  axis: 0 | 1,
): [before: number, after: number] {
  const out = ceilDiv(size[axis], stride[axis]);
  const total = (out - 1) * stride[axis] + span(kernel, dilation, axis) - size[axis];
  const before = Math.floor(Math.max(0, total) / 2);
  return [before, Math.max(0, total) - before];
}
