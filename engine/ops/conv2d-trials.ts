/** @file Convolutions to try: shapes and options on both sides of what the variants of the kernels can do. */
import type { Shape } from "../shape.ts";
import type { ConvolutionOptions } from "./conv2d-geometry.ts";

/** A convolution to try. */
export interface Trial extends ConvolutionOptions {
  readonly note?: string;
  readonly x: Shape;
  readonly w: Shape;
}

/** Channels in multiples of 4, no groups: every variant can run these. */
export const packedTrials: Trial[] = [
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
export const tileTrials: Trial[] = [
  { note: "a tile of each", x: [1, 4, 8, 16], w: [1, 1, 16, 64] },
  { note: "one more than a tile", x: [1, 5, 13, 20], w: [1, 1, 20, 68] },
  { note: "three tiles", x: [1, 8, 9, 4], w: [2, 2, 4, 132] },
  { note: "rows cut by steps", x: [2, 6, 5, 8], w: [3, 3, 8, 8], stride: 2, padding: 1 },
];

/** Sums of more than 16 steps of 16, which are cut into parts; the steps of phases differ. */
export const splitTrials: Trial[] = [
  { note: "17 steps", x: [1, 3, 4, 32], w: [3, 3, 32, 32], padding: 1 },
  { note: "odd steps", x: [2, 3, 3, 28], w: [3, 4, 28, 36], padding: 1 },
  { note: "1 x 1", x: [1, 5, 13, 260], w: [1, 1, 260, 264] },
  { note: "stride 2", x: [1, 5, 4, 68], w: [3, 3, 68, 72], stride: 2, padding: 1 },
  { note: "stride beyond the kernel", x: [1, 5, 4, 72], w: [2, 2, 72, 260], stride: 3 },
];

/** One matrix product. */
export const pointwiseTrials: Trial[] = [
  { note: "vec4s", x: [2, 5, 7, 8], w: [1, 1, 8, 12] },
  { note: "odd sizes", x: [1, 3, 5, 3], w: [1, 1, 3, 5] },
];

/** 3 x 3 with stride 1, on both sides of tiles of 2 and 4 pixels, and of the 4 tiles that the weights' gradient takes at once. */
export const winogradTrials: Trial[] = [
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
export const depthwiseTrials: Trial[] = [
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
export const narrowTrials: Trial[] = [
  { note: "grey images", x: [2, 8, 9, 1], w: [5, 5, 1, 16], stride: 2, padding: 2 },
  { note: "colour images", x: [1, 9, 9, 3], w: [7, 7, 3, 8], stride: 2, padding: 3 },
  { note: "6 channels", x: [2, 5, 4, 6], w: [3, 3, 6, 20], padding: 1 },
  { note: "1 x 1 of one channel", x: [1, 6, 7, 1], w: [1, 1, 1, 4] },
];

export const groupedPackedTrials: Trial[] = [
  { note: "2 groups of 4", x: [2, 6, 5, 8], w: [3, 3, 4, 16], groups: 2, padding: 1 },
  { note: "3 groups", x: [1, 6, 5, 24], w: [2, 3, 8, 12], groups: 3, stride: 2, padding: 1 },
];

export const oddTrials: Trial[] = [
  { note: "depthwise", x: [2, 6, 5, 6], w: [3, 3, 1, 6], groups: 6, padding: 1 },
  { note: "depthwise, 2 for each", x: [1, 7, 6, 5], w: [3, 3, 1, 10], groups: 5, stride: 2 },
  { note: "depthwise, dilation", x: [1, 8, 8, 4], w: [3, 3, 1, 4], groups: 4, dilation: 2 },
  { note: "groups of odd sizes", x: [2, 4, 5, 6], w: [2, 2, 3, 10], groups: 2, padding: 1 },
  { note: "odd channels", x: [2, 5, 4, 3], w: [3, 3, 3, 5], padding: 1 },
  { note: "one of everything", x: [1, 1, 1, 1], w: [1, 1, 1, 1] },
];

/** The matrix of patches and its gradient: every number of channels, and images of several passes. */
export const col2imTrials: Trial[] = [
  ...packedTrials,
  ...narrowTrials,
  { note: "odd channels", x: [2, 5, 4, 3], w: [3, 3, 3, 5], padding: 1 },
  { note: "7 channels, stride 2", x: [2, 7, 6, 7], w: [3, 3, 7, 6], stride: 2, padding: 1 },
  { note: "10 channels, dilation", x: [1, 9, 8, 10], w: [2, 3, 10, 4], dilation: 2, stride: 3 },
  { note: "two passes", x: [35, 64, 64, 1], w: [11, 11, 1, 1], padding: 5 },
];

/** Trials, each with the variant of the kernel that it is for. */
export function trialsOf(lists: Readonly<Record<string, readonly Trial[]>>): (Trial & Pinned)[] {
  return Object.entries(lists).flatMap(([variant, trials]) =>
    trials.map((trial) => ({ ...trial, variant })),
  );
}

export interface Pinned {
  readonly variant?: string;
}

export const emptyTrial: Trial = {
  note: "no images",
  x: [0, 5, 5, 4],
  w: [3, 3, 4, 8],
  padding: 1,
};

export const halfTrial: Trial = { note: "f16", x: [2, 5, 5, 4], w: [3, 3, 4, 8], padding: 1 };

export const longHalfTrial: Trial = { note: "f16", x: [1, 3, 3, 32], w: [3, 3, 32, 8], padding: 1 };

export const narrowHalfTrial: Trial = {
  ...{ note: "f16", x: [2, 6, 7, 3], w: [5, 3, 3, 8] },
  ...{ stride: 2, padding: 1 },
};
