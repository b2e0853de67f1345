/** @file Average pooling of images. Formulas: `shaders/pool/avg-pool2d.wgsl`. */
import source from "../../shaders/pool/avg-pool2d.wgsl";
import { ArgumentError } from "../errors.ts";
import { defineKernel, linearGrid, type Kernel, type ParamValues } from "../kernel.ts";
import { defineOp } from "../op.ts";
import type { Shape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { channelVectors } from "./channel-vectors.ts";
import {
  imageParams,
  pooledShape,
  poolWindow,
  requireImages,
  windowOverrides,
  type PoolOptions,
  type PoolWindow,
} from "./pool-window.ts";

const grid = ({ count }: ParamValues) => linearGrid(count as number, 64);

const forwardKernel = defineKernel({
  name: "avgPool2d",
  source,
  entryPoint: "forward",
  bindings: ["x", "out", "params"],
  grid,
});
const gradientKernel = defineKernel({
  name: "avgPool2d-gradient",
  source,
  entryPoint: "gradient",
  bindings: ["dy", "dx", "params"],
  grid,
});

interface Attributes {
  readonly window: PoolWindow;
  readonly countPadding: boolean;
  /** 0: count the elements. */
  readonly divisor: number;
}

const avgPoolOp = defineOp<readonly [Tensor], Attributes>({
  name: "avgPool2d",
  output: ([x], { window }) => {
    requireImages("avgPool2d", x);
    return { shape: pooledShape("avgPool2d", x.shape, window) };
  },
  forward: ([x], out, attributes) => {
    run(forwardKernel, { x, out }, x.shape, out, attributes);
    return {};
  },
  gradient: (dy, { inputs: [x], attributes }) => {
    const dx = Tensor.allocate("avgPool2d", x.device, x.shape, x.dtype);
    run(gradientKernel, { dy, dx }, x.shape, dx, attributes, dy.shape);
    return [dx];
  },
});

/** One invocation for each vector of channels of `result`. */
function run(
  kernel: Kernel,
  tensors: Readonly<Record<string, Tensor>>,
  x: Shape,
  result: Tensor,
  { window, countPadding, divisor }: Attributes,
  out: Shape = result.shape,
): void {
  const { lanes, columns, types } = channelVectors(result.dtype, x[3] ?? 1);
  const params = { ...imageParams(x, out, columns), divisor, count: result.size / lanes };
  const overrides = { ...windowOverrides(window), COUNT_PADDING: Number(countPadding) };
  kernel(tensors, params, { overrides, types: types("S", "V") });
}

export interface AvgPoolOptions extends PoolOptions {
  /** Divide by the size of the window even where it reaches into the padding. Default: true. */
  readonly countIncludePad?: boolean;
  /** Divide by this number instead. */
  readonly divisorOverride?: number;
}

/**
 * The mean of each window of `x` [batch, height, width, channels], as PyTorch's `avg_pool2d`;
 * padding counts as 0.
 *
 * @throws ArgumentError for sizes that are not whole, padding of more than half a window, or a
 * divisor of 0.
 * @throws ShapeError when no window fits into the image, DTypeError for whole numbers.
 */
export function avgPool2d(x: Tensor, options: AvgPoolOptions): Tensor {
  const { countIncludePad = true, divisorOverride } = options;
  if (
    divisorOverride !== undefined &&
    !(Number.isFinite(divisorOverride) && divisorOverride !== 0)
  ) {
    throw new ArgumentError(
      "avgPool2d",
      `divisorOverride is no divisor: ${divisorOverride}`,
      "Use a number other than 0, or leave it out to divide by the size of the window",
    );
  }
  return avgPoolOp([x], {
    window: poolWindow("avgPool2d", options),
    countPadding: countIncludePad,
    divisor: divisorOverride ?? 0,
  });
}
