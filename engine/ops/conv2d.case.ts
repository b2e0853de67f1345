/** @file Cases of the convolutions: every variant of every kernel, on both sides of its tiles, and every option. */
import { hostTensor, type HostTensor } from "../host-tensor.ts";
import { opCase, type OpError, type OpSample } from "../op-case.ts";
import { sizeOf, type Shape } from "../shape.ts";
import { tensor, type Tensor } from "../tensor.ts";
import {
  convolutionGeometry,
  outputShape,
  transposedGeometry,
  type ConvolutionOptions,
  type Geometry,
  type TransposedOptions,
} from "./conv2d-geometry.ts";
import { conv2d, conv2dInputGradient, conv2dTranspose, conv2dWeightGradient } from "./conv2d.ts";
import {
  forwardReference,
  inputGradientReference,
  weightGradientReference,
} from "./conv2d-reference.ts";
import { withVariant } from "./variants.ts";

/** A convolution to try. */
interface Trial extends ConvolutionOptions {
  readonly note?: string;
  readonly x: Shape;
  readonly w: Shape;
}

/** Channels in multiples of 4, no groups: every variant can run these. */
const packedTrials: Trial[] = [
  { x: [2, 5, 6, 4], w: [3, 3, 4, 8], padding: 1 },
  { note: "one tile", x: [1, 4, 8, 4], w: [1, 1, 4, 32] },
  { note: "one pixel more than a tile", x: [1, 3, 11, 4], w: [1, 1, 4, 36] },
  { note: "one pixel less than a tile", x: [1, 1, 31, 8], w: [1, 1, 8, 12] },
  { note: "16 columns", x: [3, 4, 3, 12], w: [2, 2, 12, 16] },
  { note: "20 columns", x: [1, 6, 7, 16], w: [3, 3, 16, 20], padding: 1 },
  { note: "stride 2", x: [2, 7, 8, 4], w: [3, 3, 4, 8], stride: 2, padding: 1 },
  { note: "stride 2, 1 x 1", x: [2, 6, 7, 8], w: [1, 1, 8, 4], stride: 2 },
  {
    note: "strides that differ",
    x: [1, 9, 8, 4],
    w: [2, 3, 4, 8],
    stride: [3, 1],
    padding: [0, 2],
  },
  { note: "stride beyond the kernel", x: [1, 11, 10, 4], w: [2, 2, 4, 4], stride: [4, 3] },
  { note: "dilation", x: [1, 9, 10, 4], w: [3, 3, 4, 4], dilation: [2, 3], padding: [2, 3] },
  { note: "dilation and stride", x: [1, 12, 9, 4], w: [3, 2, 4, 8], dilation: 2, stride: [2, 3] },
  {
    note: "dilation 3, stride 2",
    x: [1, 13, 11, 4],
    w: [3, 3, 4, 4],
    dilation: 3,
    stride: 2,
    padding: 3,
  },
  { note: "uneven padding", x: [2, 5, 6, 4], w: [3, 3, 4, 4], padding: [1, 0, 0, 2] },
  { note: "padding beyond the kernel", x: [1, 3, 2, 4], w: [2, 2, 4, 4], padding: 3 },
  { note: "same, stride 2, even", x: [1, 6, 8, 4], w: [3, 5, 4, 4], padding: "same", stride: 2 },
  { note: "valid", x: [1, 5, 5, 4], w: [4, 5, 4, 4], padding: "valid" },
  { note: "7 x 7", x: [1, 9, 9, 4], w: [7, 7, 4, 4], stride: 2, padding: 3 },
  { note: "one pixel", x: [5, 1, 1, 8], w: [1, 1, 8, 4] },
  { note: "an image of the kernel's size", x: [2, 3, 3, 4], w: [3, 3, 4, 8] },
];

/** Around the tiles in workgroup memory: 32 or 64 rows, 64 columns, 16 steps of k. */
const tileTrials: Trial[] = [
  { note: "a tile of each", x: [1, 4, 8, 16], w: [1, 1, 16, 64] },
  { note: "one more than a tile", x: [1, 5, 13, 20], w: [1, 1, 20, 68] },
  { note: "three tiles", x: [1, 8, 9, 4], w: [2, 2, 4, 132] },
  { note: "rows cut by steps", x: [2, 6, 5, 8], w: [3, 3, 8, 8], stride: 2, padding: 1 },
];

/** Sums of more than 16 steps of 16, which are cut into parts; the steps of phases differ. */
const splitTrials: Trial[] = [
  { note: "17 steps", x: [1, 3, 4, 32], w: [3, 3, 32, 32], padding: 1 },
  { note: "odd steps", x: [2, 3, 3, 28], w: [3, 4, 28, 36], padding: 1 },
  { note: "1 x 1", x: [1, 5, 13, 260], w: [1, 1, 260, 264] },
  { note: "stride 2", x: [1, 5, 4, 68], w: [3, 3, 68, 72], stride: 2, padding: 1 },
  { note: "stride beyond the kernel", x: [1, 5, 4, 72], w: [2, 2, 72, 260], stride: 3 },
];

/** One matrix product. */
const pointwiseTrials: Trial[] = [
  { note: "vec4s", x: [2, 5, 7, 8], w: [1, 1, 8, 12] },
  { note: "odd sizes", x: [1, 3, 5, 3], w: [1, 1, 3, 5] },
];

/** 3 x 3 with stride 1, on both sides of tiles of 2 and 4 pixels, and of the 4 tiles that the weights' gradient takes at once. */
const winogradTrials: Trial[] = [
  { note: "whole tiles", x: [2, 8, 8, 8], w: [3, 3, 8, 12], padding: 1 },
  { note: "odd sizes", x: [3, 7, 9, 8], w: [3, 3, 8, 4], padding: 1 },
  { note: "no padding", x: [1, 9, 6, 4], w: [3, 3, 4, 8] },
  { note: "padding 2", x: [2, 5, 9, 4], w: [3, 3, 4, 4], padding: 2 },
  { note: "uneven padding", x: [1, 13, 2, 4], w: [3, 3, 4, 4], padding: [0, 2, 1, 0] },
  { note: "padding beyond the kernel", x: [1, 6, 7, 4], w: [3, 3, 4, 8], padding: 3 },
  { note: "one pixel", x: [5, 1, 1, 4], w: [3, 3, 4, 8], padding: 1 },
  { note: "an image of the kernel's size", x: [2, 3, 3, 4], w: [3, 3, 4, 8] },
  { note: "more channels than a tile", x: [1, 6, 5, 40], w: [3, 3, 40, 36], padding: 1 },
];

/** A channel a group, on both sides of strips of 4 pixels. */
const depthwiseTrials: Trial[] = [
  { x: [2, 6, 8, 8], w: [3, 3, 1, 8], groups: 8, padding: 1 },
  { note: "stride 2", x: [1, 7, 9, 4], w: [3, 3, 1, 4], groups: 4, padding: 1, stride: 2 },
  { note: "5 x 5, stride 2", x: [2, 9, 8, 4], w: [5, 5, 1, 4], groups: 4, padding: 2, stride: 2 },
  { note: "one row", x: [3, 1, 5, 12], w: [1, 4, 1, 12], groups: 12, padding: [0, 0, 1, 2] },
  {
    note: "dilation",
    x: [1, 9, 10, 4],
    w: [3, 3, 1, 4],
    groups: 4,
    dilation: [2, 3],
    padding: [2, 3],
  },
  {
    note: "dilation and stride",
    x: [1, 12, 11, 4],
    w: [3, 3, 1, 4],
    groups: 4,
    dilation: [1, 2],
    stride: [3, 2],
  },
  {
    note: "dilation 3, stride 2",
    x: [1, 13, 11, 4],
    w: [3, 3, 1, 4],
    groups: 4,
    dilation: 3,
    stride: 2,
    padding: 3,
  },
  { note: "stride beyond the kernel", x: [1, 11, 10, 4], w: [2, 2, 1, 4], groups: 4, stride: 4 },
  { note: "8 x 8", x: [1, 9, 11, 4], w: [8, 8, 1, 4], groups: 4, padding: 4 },
];

/** Few channels of x, as of a first layer. */
const narrowTrials: Trial[] = [
  { note: "grey images", x: [2, 8, 9, 1], w: [5, 5, 1, 16], stride: 2, padding: 2 },
  { note: "colour images", x: [1, 9, 9, 3], w: [7, 7, 3, 8], stride: 2, padding: 3 },
  { note: "6 channels", x: [2, 5, 4, 6], w: [3, 3, 6, 20], padding: 1 },
  { note: "1 x 1 of one channel", x: [1, 6, 7, 1], w: [1, 1, 1, 4] },
];

const groupedPackedTrials: Trial[] = [
  { note: "2 groups of 4", x: [2, 6, 5, 8], w: [3, 3, 4, 16], groups: 2, padding: 1 },
  { note: "3 groups", x: [1, 6, 5, 24], w: [2, 3, 8, 12], groups: 3, stride: 2, padding: 1 },
];

const oddTrials: Trial[] = [
  { note: "depthwise", x: [2, 6, 5, 6], w: [3, 3, 1, 6], groups: 6, padding: 1 },
  { note: "depthwise, 2 for each", x: [1, 7, 6, 5], w: [3, 3, 1, 10], groups: 5, stride: 2 },
  { note: "depthwise, dilation", x: [1, 8, 8, 4], w: [3, 3, 1, 4], groups: 4, dilation: 2 },
  { note: "groups of odd sizes", x: [2, 4, 5, 6], w: [2, 2, 3, 10], groups: 2, padding: 1 },
  { note: "odd channels", x: [2, 5, 4, 3], w: [3, 3, 3, 5], padding: 1 },
  { note: "one of everything", x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
];

/** Trials, each with the variant of the kernel that it is for. */
function trialsOf(lists: Readonly<Record<string, readonly Trial[]>>): (Trial & Pinned)[] {
  return Object.entries(lists).flatMap(([variant, trials]) =>
    trials.map((trial) => ({ ...trial, variant })),
  );
}

interface Pinned {
  readonly variant?: string;
}

const emptyTrial: Trial = { note: "no images", x: [0, 5, 5, 4], w: [3, 3, 4, 8], padding: 1 };

const halfTrial: Trial = { note: "f16", x: [2, 5, 5, 4], w: [3, 3, 4, 8], padding: 1 };

const longHalfTrial: Trial = { note: "f16", x: [1, 3, 3, 32], w: [3, 3, 32, 8], padding: 1 };

interface ForwardArgs extends ConvolutionOptions, Pinned {}

/**
 * F(4 x 4, 3 x 3) rounds two to three times as coarsely as the others: up to 5e-6 of the largest result, which is some 30 for sums
 * over many channels, and a tolerance counts from 1 (shaders/conv2d/winograd.wgsl).
 */
function toleranceOf(
  variant: string | undefined,
  [, , channels = 0]: Shape,
): { readonly tolerance?: number } {
  return variant === "winograd-4x4" ? { tolerance: channels > 32 ? 1.5e-4 : 5e-5 } : {};
}

function named(note: string | undefined, variant: string | undefined): string {
  return [variant, note].filter((part) => part !== undefined).join(", ");
}

const forwardTrials = trialsOf({
  direct: [
    ...packedTrials,
    ...narrowTrials,
    ...groupedPackedTrials,
    ...depthwiseTrials,
    ...oddTrials,
  ],
  register: [...packedTrials, ...groupedPackedTrials],
  tiled: [...packedTrials, ...tileTrials, ...narrowTrials],
  "tiled-32": [...tileTrials, ...narrowTrials],
  "split-k": [...splitTrials, { note: "3 channels", x: [1, 9, 10, 3], w: [9, 10, 3, 8] }],
  subgroup: packedTrials,
  depthwise: depthwiseTrials,
  im2col: [...packedTrials, ...tileTrials, ...narrowTrials],
  pointwise: pointwiseTrials,
  "subgroup-narrow": [...narrowTrials, ...packedTrials.slice(0, 8)],
  "winograd-2x2": winogradTrials,
  "winograd-4x4": winogradTrials,
});

const forwardSamples: OpSample<ForwardArgs>[] = [
  ...forwardTrials.map(({ note, x, w, ...args }, i): OpSample<ForwardArgs> => ({
    note: named(note, args.variant),
    // Every other one with a bias, for variants that take one.
    inputs: [
      ...[{ shape: x }, { shape: w }],
      ...(i % 2 === 0 && args.variant !== "pointwise" ? [{ shape: w.slice(3) }] : []),
    ],
    args,
    ...toleranceOf(args.variant, w),
    // The gradients have cases of their own; once for each geometry is enough.
    gradient: args.variant === "direct",
  })),
  {
    note: emptyTrial.note ?? "",
    inputs: [{ shape: emptyTrial.x }, { shape: emptyTrial.w }, { shape: [8] }],
    args: { padding: 1 },
  },
  ...trialsOf({
    ...{ direct: [halfTrial], register: [halfTrial], tiled: [halfTrial], "tiled-32": [halfTrial] },
    ...{ "split-k": [longHalfTrial], subgroup: [halfTrial], "subgroup-narrow": [halfTrial] },
    ...{ "winograd-2x2": [halfTrial], "winograd-4x4": [halfTrial] },
  }).map(({ note, x, w, ...args }): OpSample<ForwardArgs> => ({
    note: named(note, args.variant),
    inputs: [x, w, w.slice(3)].map((shape) => ({ shape, dtype: "f16" as const })),
    args,
    tolerance: 4e-3,
    feature: "shader-f16",
  })),
];

function pinned<T>(family: string, { variant }: Pinned, body: () => T): T {
  return variant === undefined ? body() : withVariant(family, variant, body);
}

const zeros = (...shape: number[]): Tensor => tensor(new Float32Array(sizeOf(shape)), { shape });

const forwardErrors: OpError[] = [
  { what: "channels that differ", run: () => conv2d(zeros(1, 5, 5, 3), zeros(3, 3, 4, 8)) },
  {
    what: "channels that differ, with groups",
    run: () => conv2d(zeros(1, 5, 5, 4), zeros(3, 3, 4, 8), { groups: 2 }),
  },
  {
    what: "groups that do not divide the channels",
    run: () => conv2d(zeros(1, 5, 5, 6), zeros(3, 3, 2, 8), { groups: 3 }),
  },
  { what: "0 groups", run: () => conv2d(zeros(1, 5, 5, 4), zeros(3, 3, 4, 8), { groups: 0 }) },
  { what: "an image without a batch", run: () => conv2d(zeros(5, 5, 4), zeros(3, 3, 4, 8)) },
  { what: "a kernel of 3 axes", run: () => conv2d(zeros(1, 5, 5, 4), zeros(3, 4, 8)) },
  { what: "an empty kernel", run: () => conv2d(zeros(1, 5, 5, 4), zeros(0, 3, 4, 8)) },
  { what: "a kernel that does not fit", run: () => conv2d(zeros(1, 4, 5, 4), zeros(5, 3, 4, 8)) },
  {
    what: "a dilated kernel that does not fit",
    run: () => conv2d(zeros(1, 4, 5, 4), zeros(3, 3, 4, 8), { dilation: 2 }),
  },
  { what: "stride 0", run: () => conv2d(zeros(1, 5, 5, 4), zeros(3, 3, 4, 8), { stride: 0 }) },
  {
    what: "negative padding",
    run: () => conv2d(zeros(1, 5, 5, 4), zeros(3, 3, 4, 8), { padding: -1 }),
  },
  {
    what: "uneven padding that is no size",
    run: () => conv2d(zeros(1, 5, 5, 4), zeros(3, 3, 4, 8), { padding: [1, 1, 0.5, 1] }),
  },
  {
    what: "dilation that is no size",
    run: () => conv2d(zeros(1, 5, 5, 4), zeros(3, 3, 4, 8), { dilation: [1, 1.5] }),
  },
  {
    what: "a bias of another length",
    run: () => conv2d(zeros(1, 5, 5, 4), zeros(3, 3, 4, 8), { bias: zeros(4) }),
  },
  {
    what: "whole numbers",
    run: () =>
      conv2d(
        tensor(new Int32Array(4), { shape: [1, 1, 1, 4] }),
        tensor(new Int32Array(4), { shape: [1, 1, 4, 1] }),
      ),
  },
];

export const conv2dCase = opCase<ForwardArgs>({
  ops: ["conv2d"],
  title: "conv2d",
  run: ([x, w, bias], args) =>
    pinned("conv2d", args, () =>
      conv2d(x as Tensor, w as Tensor, bias === undefined ? args : { ...args, bias }),
    ),
  reference: ([x, w, bias], args) => {
    const [image, kernel] = [x as HostTensor, w as HostTensor];
    const geometry = convolutionGeometry("reference", image.shape, kernel.shape, args);
    return forwardReference(geometry, image, kernel, bias);
  },
  samples: forwardSamples,
  errors: forwardErrors,
});

interface InputGradientArgs extends ConvolutionOptions, Pinned {
  readonly xShape: Shape;
}

const gradientTrials = trialsOf({
  direct: [
    ...packedTrials,
    ...narrowTrials,
    ...groupedPackedTrials,
    ...depthwiseTrials,
    ...oddTrials,
  ],
  register: [...packedTrials, ...groupedPackedTrials],
  tiled: [...packedTrials, ...tileTrials],
  subgroup: packedTrials,
  depthwise: depthwiseTrials,
  pointwise: pointwiseTrials,
  "winograd-2x2": winogradTrials,
  "winograd-4x4": winogradTrials,
});

const geometryOf = ({ x, w, ...options }: Trial): Geometry =>
  convolutionGeometry("case", x, w, options);

export const conv2dInputGradientCase = opCase<InputGradientArgs>({
  ops: ["conv2dInputGradient"],
  title: "conv2dInputGradient",
  run: ([dy, w], args) =>
    pinned("conv2dInputGradient", args, () =>
      conv2dInputGradient(dy as Tensor, w as Tensor, args.xShape, args),
    ),
  reference: ([dy, w], { xShape, ...options }) => {
    const kernel = w as HostTensor;
    const geometry = convolutionGeometry("reference", xShape, kernel.shape, options);
    return inputGradientReference(geometry, dy as HostTensor, kernel);
  },
  samples: [
    ...gradientTrials,
    ...trialsOf({ "tiled-32": tileTrials, "split-k": splitTrials }),
    emptyTrial,
  ].map((trial, i): OpSample<InputGradientArgs> => {
    const { note, x, w, ...args } = trial;
    return {
      note: named(note, (trial as Pinned).variant),
      inputs: [{ shape: outputShape(geometryOf(trial)) }, { shape: w }],
      args: { ...args, xShape: x },
      ...toleranceOf((trial as Pinned).variant, w),
      gradient: i % 5 === 0,
    };
  }),
  errors: [
    {
      what: "a gradient of another shape",
      run: () => conv2dInputGradient(zeros(1, 5, 5, 8), zeros(3, 3, 4, 8), [1, 5, 5, 4]),
    },
  ],
});

interface WeightGradientArgs extends ConvolutionOptions, Pinned {
  readonly wShape: Shape;
}

export const conv2dWeightGradientCase = opCase<WeightGradientArgs>({
  ops: ["conv2dWeightGradient"],
  title: "conv2dWeightGradient",
  run: ([x, dy], args) =>
    pinned("conv2dWeightGradient", args, () =>
      conv2dWeightGradient(x as Tensor, dy as Tensor, args.wShape, args),
    ),
  reference: ([x, dy], { wShape, ...options }) => {
    const image = x as HostTensor;
    const geometry = convolutionGeometry("reference", image.shape, wShape, options);
    return weightGradientReference(geometry, image, dy as HostTensor);
  },
  samples: [
    ...gradientTrials,
    ...trialsOf({ tiled: narrowTrials, subgroup: narrowTrials }),
    ...trialsOf({
      direct: [manyRows()],
      register: [manyRows()],
      tiled: [manyRows()],
      subgroup: [manyRows()],
    }),
  ].map((trial, i): OpSample<WeightGradientArgs> => {
    const { note, x, w, ...args } = trial;
    return {
      note: named(note, args.variant),
      inputs: [{ shape: x }, { shape: outputShape(geometryOf(trial)) }],
      args: { ...args, wShape: w },
      ...toleranceOf(args.variant, w),
      gradient: i % 5 === 0,
    };
  }),
  errors: [
    {
      what: "a gradient of another shape",
      run: () => conv2dWeightGradient(zeros(1, 5, 5, 4), zeros(1, 5, 5, 8), [3, 3, 4, 8]),
    },
  ],
});

/** More rows than parts of the sum, so that parts have several rows and the last one fewer. */
function manyRows(): Trial {
  return { note: "many parts", x: [13, 11, 3, 4], w: [1, 3, 4, 4] };
}

const transposeSample = (
  note: string,
  x: Shape,
  w: Shape,
  args: TransposedOptions = {},
): OpSample<TransposedOptions> => ({
  note,
  inputs: [{ shape: x }, { shape: w }, { shape: [(w[2] ?? 0) * (args.groups ?? 1)] }],
  args,
});

export const conv2dTransposeCase = opCase<TransposedOptions>({
  ops: ["conv2dInputGradient"],
  title: "conv2dTranspose",
  run: ([x, w, bias], args) =>
    conv2dTranspose(x as Tensor, w as Tensor, bias === undefined ? args : { ...args, bias }),
  reference: ([x, w, bias], args) => {
    const [image, kernel] = [x as HostTensor, w as HostTensor];
    const geometry = transposedGeometry("reference", image.shape, kernel.shape, args);
    const { shape, data } = inputGradientReference(geometry, image, kernel);
    const channels = geometry.inChannels;
    const shift = (i: number): number =>
      bias === undefined ? 0 : (bias.data[i % channels] ?? NaN);
    return hostTensor(
      shape,
      data.map((value, i) => value + shift(i)),
    );
  },
  samples: [
    transposeSample("plain", [2, 4, 3, 4], [3, 3, 8, 4]),
    transposeSample("twice the size", [1, 4, 5, 8], [2, 2, 4, 8], { stride: 2 }),
    transposeSample("twice the size", [1, 4, 5, 8], [3, 3, 4, 8], {
      ...{ stride: 2, padding: 1, outputPadding: 1 },
    }),
    transposeSample("gaps that no tap reaches", [1, 3, 4, 4], [1, 2, 4, 4], { stride: 3 }),
    transposeSample("output padding beyond the stride", [1, 3, 3, 4], [3, 3, 4, 4], {
      ...{ dilation: 3, outputPadding: 2 },
    }),
    transposeSample("uneven padding", [1, 5, 4, 3], [3, 4, 2, 3], {
      ...{ stride: [2, 1], padding: [1, 0, 2, 1], outputPadding: [1, 0] },
    }),
    transposeSample("groups", [2, 4, 4, 6], [3, 3, 2, 6], { groups: 3, stride: 2 }),
    transposeSample("dilation", [1, 4, 4, 4], [3, 3, 4, 4], { dilation: [2, 3], stride: 2 }),
  ],
  errors: [
    {
      what: "channels that differ",
      run: () => conv2dTranspose(zeros(1, 5, 5, 3), zeros(3, 3, 8, 4)),
    },
    {
      what: "too much output padding",
      run: () => conv2dTranspose(zeros(1, 5, 5, 4), zeros(3, 3, 8, 4), { outputPadding: 1 }),
    },
    {
      what: "more padding than there is",
      run: () => conv2dTranspose(zeros(1, 1, 1, 4), zeros(3, 3, 8, 4), { padding: 2 }),
    },
    {
      what: "a bias of another length",
      run: () => conv2dTranspose(zeros(1, 1, 1, 4), zeros(3, 3, 8, 4), { bias: zeros(4) }),
    },
  ],
});
