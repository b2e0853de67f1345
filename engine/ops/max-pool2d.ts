/** @file Maximum pooling of images. Formulas: `shaders/pool/max-pool2d.wgsl`. */
import source from "../../shaders/pool/max-pool2d.wgsl";
import { defineKernel, linearGrid, type ParamValues } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { ceilDiv, sizeOf, type Shape } from "../shape.ts";
import { isRecording } from "../tape.ts";
import { Tensor } from "../tensor.ts";
import { channelVectors } from "./channel-vectors.ts";
import { gradientStrips, hasGradientStrips, poolBlocks, poolStrips } from "./pool-strips.ts";
import {
  imageParams,
  pooledShape,
  poolWindow,
  requireImages,
  windowOverrides,
  type PoolOptions,
  type PoolWindow,
  type Size2d,
} from "./pool-window.ts";

const grid = ({ count }: ParamValues) => linearGrid(count as number, 64);

function entryPoint(name: string, entry: string, bindings: readonly string[]) {
  return defineKernel({ name, source, entryPoint: entry, bindings: [...bindings, "params"], grid });
}

const forwardKernel = entryPoint("maxPool2d", "forward", ["x", "out"]);
const tapsKernel = entryPoint("maxPool2d-taps", "forward_with_taps", ["x", "out", "taps_out"]);
const indicesKernel = entryPoint("maxPool2d-indices", "flat_indices", ["taps", "indices"]);
const gradientBindings = ["taps", "dy", "dx"];
const gradientKernel = entryPoint("maxPool2d-gradient", "gradient", gradientBindings);
const anyGradientKernel = entryPoint("maxPool2d-gradient", "gradient_any", gradientBindings);

interface Attributes {
  readonly window: PoolWindow;
  /** Remember which element of each window was the maximum. */
  readonly withTaps: boolean;
}

const maxPoolOp = defineOp<readonly [Tensor], Attributes>({
  name: "maxPool2d",
  output: ([x], { window }) => {
    requireImages("maxPool2d", x);
    return { shape: pooledShape("maxPool2d", x.shape, window) };
  },
  forward: ([x], out, { window, withTaps }) => {
    const { params, options, words } = layoutOf(x, out.shape, window);
    if (!withTaps) {
      forwardKernel({ x, out }, params, options);
      return {};
    }
    const taps = Tensor.allocate("maxPool2d", x.device, [words], "u32");
    tapsKernel({ x, out, taps_out: taps }, params, options);
    return { taps };
  },
  gradient: (dy, { inputs: [x], attributes: { window }, saved }) => {
    const dx = Tensor.allocate("maxPool2d", x.device, x.shape, x.dtype);
    const { params, options } = layoutOf(x, dy.shape, window);
    const tensors = { taps: tapsOf(saved), dy, dx };
    if (hasGradientStrips(window)) {
      const { strips, overrides } = gradientStrips(x, window, options.overrides.BLOCK);
      const specialized = { ...options, overrides: { ...options.overrides, ...overrides } };
      gradientKernel(tensors, { ...params, ...strips }, specialized);
    } else {
      const count = sizeOf(x.shape.slice(0, 3)) * params.columns;
      anyGradientKernel(tensors, { ...params, count }, options);
    }
    return [dx];
  },
});

const bitsOfNegativeInfinity = 0xff800000;

/** Uniforms and options of the forward passes, and how many words of taps there are. */
function layoutOf(x: Tensor, out: Shape, window: PoolWindow) {
  const [images = 0, rows = 0, width = 0] = out;
  const { lanes, columns, types } = channelVectors(x.dtype, x.shape[3] ?? 1);
  const blocks = poolBlocks(window);
  // The tap of one of four windows has a byte.
  const PACK = window.kernel[0] * window.kernel[1] <= 256 ? 4 : 1;
  const params = {
    ...imageParams(x.shape, out, columns, window),
    ...poolStrips(x.device, [images, rows, ceilDiv(width, blocks.BLOCK), columns], PACK),
    lowest: bitsOfNegativeInfinity,
  };
  const options = {
    overrides: { ...windowOverrides(window), ...blocks, PACK },
    types: types("S", "V", "U", "I", "B"),
  };
  return { params, options, words: images * ceilDiv(rows, PACK) * width * columns * lanes };
}

function tapsOf(saved: Readonly<Record<string, Tensor>>): Tensor {
  const { taps } = saved;
  if (taps === undefined) throw new Error("maxPool2d: the taps were not saved");
  return taps;
}

export interface MaxPoolOptions extends PoolOptions {
  /** From one element of a window to the next. Default: 1. */
  readonly dilation?: Size2d;
}

/**
 * The maximum of each window of `x` [batch, height, width, channels], as PyTorch's `max_pool2d`.
 * Padding never wins: it counts as -infinity. NaN wins. The gradient goes to the first of equal
 * maxima, in row-major order.
 *
 * @throws ArgumentError for sizes that are not whole or padding of more than half a window.
 * @throws ShapeError when no window fits into the image, DTypeError for whole numbers.
 */
export function maxPool2d(x: Tensor, options: MaxPoolOptions): Tensor {
  const window = poolWindow("maxPool2d", options, options.dilation);
  return maxPoolOp([x], { window, withTaps: isRecording() && x.requiresGrad });
}

/**
 * `maxPool2d`, and where each maximum is: `indices` (i32, the shape of `out`) holds `row * width +
 * column` in the image of its batch and channel, as PyTorch has it; -1 where a dilated window has
 * no element in the image. Throws as `maxPool2d` does.
 */
export function maxPool2dWithIndices(
  x: Tensor,
  options: MaxPoolOptions,
): { readonly out: Tensor; readonly indices: Tensor } {
  const window = poolWindow("maxPool2d", options, options.dilation);
  const { out, saved } = maxPoolOp.withSaved([x], { window, withTaps: true });
  const indices = Tensor.allocate("maxPool2d", x.device, out.shape, "i32");
  if (out.size > 0) {
    const { params, options } = layoutOf(x, out.shape, window);
    const taps = tapsOf(saved);
    indicesKernel({ taps, indices }, params, options);
    if (out.node === undefined) taps.release("maxPool2d");
  }
  return { out, indices };
}
