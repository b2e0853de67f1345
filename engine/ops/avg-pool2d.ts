/** @file Average pooling of images. Formulas: `shaders/pool/avg-pool2d.wgsl`. */
import source from "../../shaders/pool/avg-pool2d.wgsl";
import { ArgumentError } from "../errors.ts";
import { defineKernel, linearGrid, type ParamValues } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { ceilDiv, sizeOf, type Shape } from "../shape.ts";
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
} from "./pool-window.ts";

const grid = ({ count }: ParamValues) => linearGrid(count as number, 64);

function entryPoint(name: string, entry: string, bindings: readonly string[]) {
  return defineKernel({ name, source, entryPoint: entry, bindings: [...bindings, "params"], grid });
}

const forwardKernel = entryPoint("avgPool2d", "forward", ["x", "out"]);
const gradientKernel = entryPoint("avgPool2d-gradient", "gradient", ["dy", "dx"]);
const anyGradientKernel = entryPoint("avgPool2d-gradient", "gradient_any", ["dy", "dx"]);

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
    const { params, options } = layoutOf(x, out.shape, attributes);
    forwardKernel({ x, out }, params, options);
    return {};
  },
  gradient: (dy, { inputs: [x], attributes }) => {
    const dx = Tensor.allocate("avgPool2d", x.device, x.shape, x.dtype);
    const { params, options } = layoutOf(x, dy.shape, attributes);
    if (hasGradientStrips(attributes.window)) {
      const { strips, overrides } = gradientStrips(x, attributes.window, options.overrides.BLOCK);
      const specialized = { ...options, overrides: { ...options.overrides, ...overrides } };
      gradientKernel({ dy, dx }, { ...params, ...strips }, specialized);
    } else {
      const count = sizeOf(x.shape.slice(0, 3)) * params.columns;
      anyGradientKernel({ dy, dx }, { ...params, count }, options);
    }
    return [dx];
  },
});

/** Uniforms and options of the forward pass. */
function layoutOf(x: Tensor, out: Shape, { window, countPadding, divisor }: Attributes) {
  const [images = 0, rows = 0, width = 0] = out;
  const { columns, types } = channelVectors(x.dtype, x.shape[3] ?? 1);
  const blocks = poolBlocks(window);
  const params = {
    ...imageParams(x.shape, out, columns, window),
    ...poolStrips(x.device, [images, rows, ceilDiv(width, blocks.BLOCK), columns]),
    divisor,
  };
  const options = {
    overrides: { ...windowOverrides(window), ...blocks, COUNT_PADDING: Number(countPadding) },
    types: types("S", "V"),
  };
  return { params, options };
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
