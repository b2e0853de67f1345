/** @file Every distinct convolution of ResNet-34, forward and both gradients, and a few that it has not. */
import {
  conv2d,
  conv2dInputGradient,
  conv2dWeightGradient,
  type Device,
  type Shape,
} from "../../engine/index.ts";
import {
  convolutionGeometry,
  inputShape,
  outputShape,
  weightShape,
  type ConvolutionOptions,
  type Geometry,
} from "../../engine/ops/conv2d-geometry.ts";
import { forwardFamily } from "../../engine/ops/conv2d/forward.ts";
import { inputGradientFamily } from "../../engine/ops/conv2d/input-gradient.ts";
import { weightGradientFamily } from "../../engine/ops/conv2d/weight-gradient.ts";
import { sizeOf } from "../../engine/index.ts";
import type { BenchCase, Check, Prepared } from "../case.ts";
import { at, input } from "./inputs.ts";

/** A convolution with its inputs' shapes. */
export interface Convolution {
  readonly x: Shape;
  readonly w: Shape;
  readonly options: ConvolutionOptions;
}

/** Batch of all convolutions here. */
const batch = 8;

const half = (size: number): number => Math.ceil(size / 2);

/** The eleven distinct convolutions of ResNet-34 for square images. Source: He et al., arXiv 1512.03385, table 1. */
export function resnet34Convolutions(imageSize: number): readonly Convolution[] {
  const stem: Convolution = {
    x: [batch, imageSize, imageSize, 3],
    w: [7, 7, 3, 64],
    options: { stride: 2, padding: 3 },
  };
  // The stem and the max pool halve the image.
  let size = half(half(imageSize));
  const found = [stem, block(size, 64)];
  for (const channels of [128, 256, 512]) {
    const x = [batch, size, size, channels / 2];
    found.push({ x, w: [3, 3, channels / 2, channels], options: { stride: 2, padding: 1 } });
    found.push({ x, w: [1, 1, channels / 2, channels], options: { stride: 2 } });
    size = half(size);
    found.push(block(size, channels));
  }
  return found;
}

function block(size: number, channels: number): Convolution {
  const x = [batch, size, size, channels];
  return { x, w: [3, 3, channels, channels], options: { padding: 1 } };
}

/** What ResNet-34 does not have: MNIST's first layer, 1 x 1 kernels with stride 1, and depthwise ones. */
const others: readonly Convolution[] = [
  { x: [64, 28, 28, 1], w: [3, 3, 1, 16], options: { padding: 1 } },
  { x: [batch, 28, 28, 256], w: [1, 1, 256, 64], options: {} },
  { x: [batch, 28, 28, 128], w: [3, 3, 1, 128], options: { padding: 1, groups: 128 } },
];

const imageSizes = [224, 128, 64];

export function convolutionCases(): readonly BenchCase[] {
  const resnet = imageSizes.flatMap((size) =>
    resnet34Convolutions(size).flatMap((c) => convolutionCasesOf(c, `resnet34 ${size}`)),
  );
  return [...resnet, ...others.flatMap((c) => convolutionCasesOf(c, "other"))];
}

/** Of the direct convolution, whatever a variant does. Products with the zeros of the padding count, as is usual. */
function flopsOf(g: Geometry): number {
  return 2 * sizeOf(outputShape(g)) * g.kernel[0] * g.kernel[1] * (g.inChannels / g.groups);
}

/** The convolution and its two gradients. */
export function convolutionCasesOf(
  { x, w, options }: Convolution,
  net: string,
): readonly BenchCase[] {
  const geometry = convolutionGeometry("bench", x, w, options);
  const bytes = 4 * [x, w, outputShape(geometry)].reduce((sum, shape) => sum + sizeOf(shape), 0);
  const common = {
    suite: "convolution",
    shape: describe(geometry, net),
    work: { bound: "compute", flops: flopsOf(geometry), bytes } as const,
  };
  return [
    {
      ...common,
      op: "conv2d",
      family: forwardFamily.name,
      variants: (device) => forwardFamily.candidates(device, geometry),
      prepare: (device) => prepareForward(device, geometry, options),
    },
    {
      ...common,
      op: "conv2d dx",
      family: inputGradientFamily.name,
      variants: (device) => inputGradientFamily.candidates(device, geometry),
      prepare: (device) => prepareInputGradient(device, geometry, options),
    },
    {
      ...common,
      op: "conv2d dw",
      family: weightGradientFamily.name,
      variants: (device) => weightGradientFamily.candidates(device, geometry),
      prepare: (device) => prepareWeightGradient(device, geometry, options),
    },
  ];
}

function describe(g: Geometry, net: string): string {
  const stride = g.stride[0] === 1 ? "" : `/${g.stride[0]}`;
  const groups = g.groups === 1 ? "" : ` groups ${g.groups}`;
  const kernel = `${g.kernel[0]}x${g.kernel[1]}${stride}`;
  return `${net}: ${g.batch}x${g.height}x${g.width}x${g.inChannels} -> ${g.outChannels} ${kernel}${groups}`;
}

function prepareForward(device: Device, g: Geometry, options: ConvolutionOptions): Prepared {
  const x = input(device, inputShape(g), 1);
  const w = input(device, weightShape(g), 2);
  const perGroup = g.inChannels / g.groups;
  const expected = (index: number): number => {
    const { n, y, x: column, channel } = pixelAt(index, g.outHeight, g.outWidth, g.outChannels);
    const group = Math.floor(channel / (g.outChannels / g.groups));
    let sum = 0;
    forEachTap(g, (ky, kx) => {
      const row = inputRow(g, y, ky, 0);
      const col = inputRow(g, column, kx, 1);
      if (row === undefined || col === undefined) return;
      const pixel = ((n * g.height + row) * g.width + col) * g.inChannels + group * perGroup;
      const tap = (ky * g.kernel[1] + kx) * perGroup;
      for (let c = 0; c < perGroup; c++) {
        sum += at(x.values, pixel + c) * at(w.values, (tap + c) * g.outChannels + channel);
      }
    });
    return sum;
  };
  return { run: () => conv2d(x.tensor, w.tensor, options), check: checkOf(expected) };
}

function prepareInputGradient(device: Device, g: Geometry, options: ConvolutionOptions): Prepared {
  const dy = input(device, outputShape(g), 1);
  const w = input(device, weightShape(g), 2);
  const [perIn, perOut] = [g.inChannels / g.groups, g.outChannels / g.groups];
  const expected = (index: number): number => {
    const { n, y, x, channel } = pixelAt(index, g.height, g.width, g.inChannels);
    const [group, within] = [Math.floor(channel / perIn), channel % perIn];
    let sum = 0;
    forEachTap(g, (ky, kx) => {
      const row = outputRow(g, y, ky, 0);
      const col = outputRow(g, x, kx, 1);
      if (row === undefined || col === undefined) return;
      const pixel = ((n * g.outHeight + row) * g.outWidth + col) * g.outChannels + group * perOut;
      const tap = (ky * g.kernel[1] + kx) * perIn + within;
      for (let c = 0; c < perOut; c++) {
        sum += at(dy.values, pixel + c) * at(w.values, tap * g.outChannels + group * perOut + c);
      }
    });
    return sum;
  };
  const run = () => conv2dInputGradient(dy.tensor, w.tensor, inputShape(g), options);
  return { run, check: checkOf(expected) };
}

function prepareWeightGradient(device: Device, g: Geometry, options: ConvolutionOptions): Prepared {
  const x = input(device, inputShape(g), 1);
  const dy = input(device, outputShape(g), 2);
  const [perIn, perOut] = [g.inChannels / g.groups, g.outChannels / g.groups];
  const expected = (index: number): number => {
    const { n: ky, y: kx, x: c, channel } = pixelAt(index, g.kernel[1], perIn, g.outChannels);
    const from = Math.floor(channel / perOut) * perIn + c;
    let sum = 0;
    for (let n = 0; n < g.batch; n++) {
      for (let oy = 0; oy < g.outHeight; oy++) {
        const row = inputRow(g, oy, ky, 0);
        if (row === undefined) continue;
        for (let ox = 0; ox < g.outWidth; ox++) {
          const col = inputRow(g, ox, kx, 1);
          if (col === undefined) continue;
          const pixel = (n * g.height + row) * g.width + col;
          const out = (n * g.outHeight + oy) * g.outWidth + ox;
          sum +=
            at(x.values, pixel * g.inChannels + from) *
            at(dy.values, out * g.outChannels + channel);
        }
      }
    }
    return sum;
  };
  const run = () => conv2dWeightGradient(x.tensor, dy.tensor, weightShape(g), options);
  return { run, check: checkOf(expected) };
}

/** Sums of up to 100,000 products of numbers in [-1, 1): errors grow like the root of their number. */
function checkOf(expected: Check["expected"]): Check {
  return { expected, samples: 96, tolerance: 1e-3 };
}

function forEachTap({ kernel }: Geometry, visit: (ky: number, kx: number) => void): void {
  for (let ky = 0; ky < kernel[0]; ky++) {
    for (let kx = 0; kx < kernel[1]; kx++) visit(ky, kx);
  }
}

/** The row (axis 0) or column of x that a tap sees from a row of out; undefined in the padding. */
function inputRow(g: Geometry, out: number, tap: number, axis: 0 | 1): number | undefined {
  const row = out * g.stride[axis] + tap * g.dilation[axis] - g.pad[axis];
  return row >= 0 && row < (axis === 0 ? g.height : g.width) ? row : undefined;
}

/** The row of out that sees a row of x through a tap, if there is one. */
function outputRow(g: Geometry, row: number, tap: number, axis: 0 | 1): number | undefined {
  const out = (row + g.pad[axis] - tap * g.dilation[axis]) / g.stride[axis];
  const size = axis === 0 ? g.outHeight : g.outWidth;
  return Number.isInteger(out) && out >= 0 && out < size ? out : undefined;
}

/** The four indices of an element of `[..., height, width, channels]`. */
function pixelAt(
  index: number,
  height: number,
  width: number,
  channels: number,
): { n: number; y: number; x: number; channel: number } {
  const pixel = Math.floor(index / channels);
  const row = Math.floor(pixel / width);
  const n = Math.floor(row / height);
  return { n, y: row - n * height, x: pixel - row * width, channel: index % channels };
}
