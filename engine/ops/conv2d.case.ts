/** @file Cases of the convolutions: every variant of every kernel, on both sides of its tiles, and every option. */
import { hostTensor, type HostTensor } from "../host-tensor.ts";
import { opCase, type OpError, type OpSample } from "../op-case.ts";
import { sizeOf, type Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
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
import {
  type Trial,
  packedTrials,
  tileTrials,
  splitTrials,
  pointwiseTrials,
  winogradTrials,
  depthwiseTrials,
  narrowTrials,
  groupedPackedTrials,
  oddTrials,
  col2imTrials,
  trialsOf,
  type Pinned,
  emptyTrial,
  halfTrial,
  longHalfTrial,
  narrowHalfTrial,
} from "./conv2d-trials.ts";
import { withVariant } from "./variants.ts";

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
    ...[
      ...gradientTrials,
      ...trialsOf({ "tiled-32": tileTrials, "split-k": splitTrials }),
      ...trialsOf({ col2im: [...col2imTrials, emptyTrial] }),
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
    ...trialsOf({ col2im: [halfTrial, narrowHalfTrial] }).map(
      ({ note, x, w, ...args }): OpSample<InputGradientArgs> => ({
        note: named(note, args.variant),
        inputs: [outputShape(geometryOf({ x, w, ...args })), w].map((shape) => ({
          shape,
          dtype: "f16" as const,
        })),
        args: { ...args, xShape: x },
        tolerance: 8e-3,
        feature: "shader-f16",
        gradient: false,
      }),
    ),
  ],
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
