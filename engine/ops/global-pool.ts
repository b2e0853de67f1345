/** @file Pooling of whole images to one number a channel. */
import gradientSource from "../../shaders/pool/global-average-gradient.wgsl";
import { ArgumentError } from "../errors.ts";
import { defineKernel, linearGrid } from "../kernel.ts";
import { defineOp } from "../op.ts";
import type { Shape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { channelVectors } from "./channel-vectors.ts";
import { sliceColumns, workgroupSize } from "./column-slices.ts";
import { maxPool2d } from "./max-pool2d.ts";
import { requireImages } from "./pool-window.ts";
import { blocksOf, reduceInto } from "./reduce-kernels.ts";
import { reshape } from "./reshape.ts";

const gradientKernel = defineKernel({
  name: "globalAveragePool-gradient",
  source: gradientSource,
  grid: ({ images, columns, slices }) =>
    linearGrid((images as number) * (columns as number) * (slices as number), workgroupSize),
});

const averageOp = defineOp<readonly [Tensor], { readonly shape: Shape }>({
  name: "globalAveragePool",
  output: (_, { shape }) => ({ shape }),
  forward: ([x], out) => {
    const [, height = 1, width = 1] = x.shape;
    const divisor = height * width;
    const sum = { kind: "SUM", divisor, label: "globalAveragePool" } as const;
    reduceInto(x, blocksOf(x.shape, [1, 2]), out, sum);
    return {};
  },
  gradient: (dy, { inputs: [x] }) => [averageGradient(dy, x)],
});

function averageGradient(dy: Tensor, x: Tensor): Tensor {
  const [images = 0, height = 1, width = 1, channels = 1] = x.shape;
  const { columns, types } = channelVectors(x.dtype, channels);
  const pixels = height * width;
  const fewestRows = x.device.adapter.software ? 48 : 4;
  const slices = sliceColumns(x.device, pixels, columns, { invocations: Infinity, fewestRows });
  const dx = Tensor.allocate("globalAveragePool", x.device, x.shape, x.dtype);
  gradientKernel({ dy, dx }, { ...slices, images, scale: 1 / pixels }, { types: types("S", "V") });
  return dx;
}

/**
 * The mean of each channel of `x` [batch, height, width, channels] over its pixels: [batch,
 * channels].
 * @throws ShapeError unless x is a batch of images, DTypeError for whole numbers.
 */
export function globalAveragePool(x: Tensor): Tensor {
  requireImages("globalAveragePool", x);
  const [batch = 0, , , channels = 0] = x.shape;
  return averageOp([x], { shape: [batch, channels] });
}

/**
 * The maximum of each channel of `x` [batch, height, width, channels] over its pixels: [batch,
 * channels]. NaN wins. The gradient goes to the first of equal maxima, in row-major order.
 * @throws ShapeError unless x is a batch of images, DTypeError for whole numbers.
 */
export function globalMaxPool(x: Tensor): Tensor {
  requireImages("globalMaxPool", x);
  const [batch = 0, , , channels = 0] = x.shape;
  return reshape(imageMaximum(x), [batch, channels]);
}

/**
 * `globalAveragePool` that keeps the axes, [batch, 1, 1, channels]: PyTorch's `adaptive_avg_pool2d`
 * for the output size 1, the only one there is.
 * @throws ArgumentError for another output size; else as `globalAveragePool`.
 */
export function adaptiveAvgPool2d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  requireOne("adaptiveAvgPool2d", outputSize);
  requireImages("adaptiveAvgPool2d", x);
  const [batch = 0, , , channels = 0] = x.shape;
  return averageOp([x], { shape: [batch, 1, 1, channels] });
}

/**
 * `globalMaxPool` that keeps the axes, [batch, 1, 1, channels]: PyTorch's `adaptive_max_pool2d` for
 * the output size 1, the only one there is.
 * @throws ArgumentError for another output size; else as `globalMaxPool`.
 */
export function adaptiveMaxPool2d(x: Tensor, outputSize: AdaptiveSize): Tensor {
  requireOne("adaptiveMaxPool2d", outputSize);
  requireImages("adaptiveMaxPool2d", x);
  return imageMaximum(x);
}

/** Rows and columns of the result of adaptive pooling; both 1. */
export type AdaptiveSize = 1 | readonly [1, 1];

function requireOne(op: string, outputSize: number | readonly number[]): void {
  if ([outputSize].flat().some((size) => size !== 1)) {
    throw new ArgumentError(
      op,
      `the only output size is 1, not ${JSON.stringify(outputSize)}`,
      "Use 1, or a pool with kernelSize and stride",
    );
  }
}

/** A larger image is pooled in two steps, or too few invocations would have too much to do. */
const largestWindow = 1024;

/**
 * [batch, 1, 1, channels]. The first maximum of the image is the first one in the first row that
 * has it.
 */
function imageMaximum(x: Tensor): Tensor {
  const [, height = 1, width = 1] = x.shape;
  if (height * width <= largestWindow) return maxPool2d(x, { kernelSize: [height, width] });
  return maxPool2d(maxPool2d(x, { kernelSize: [1, width] }), { kernelSize: [height, 1] });
}
