/**
 * @file The windows of pooling: which options there are, which of them fit, and how large the
 * result is. Pure, no GPU.
 */
import { isFloat } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { formatShape, sizeOf, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";

/** A size for both directions, or `[height, width]`. */
export type Size2d = number | readonly [height: number, width: number];

export interface PoolOptions {
  /** Elements that a window spans. */
  readonly kernelSize: Size2d;
  /** From one window to the next. Default: `kernelSize`, so that windows do not overlap. */
  readonly stride?: Size2d;
  /** Rows and columns added on each side; at most half of `kernelSize`. Default: 0. */
  readonly padding?: Size2d;
  /**
   * Round the size of the result up instead of down, so that the last window may reach beyond the
   * padding; it must begin inside the image or the padding before it. Default: false.
   */
  readonly ceilMode?: boolean;
}

type Pair = readonly [height: number, width: number];

/** Options with all defaults filled in. */
export interface PoolWindow {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly padding: Pair;
  readonly dilation: Pair;
  readonly ceilMode: boolean;
}

/** Fills in the defaults. Throws `ArgumentError` for sizes that make no sense. */
export function poolWindow(op: string, options: PoolOptions, dilation: Size2d = 1): PoolWindow {
  const { kernelSize, stride = kernelSize, padding = 0, ceilMode = false } = options;
  const window = {
    kernel: pairOf(op, "kernelSize", kernelSize, 1),
    stride: pairOf(op, "stride", stride, 1),
    padding: pairOf(op, "padding", padding, 0),
    dilation: pairOf(op, "dilation", dilation, 1),
    ceilMode,
  };
  if (window.padding.some((pad, axis) => 2 * pad > (window.kernel[axis] ?? 0))) {
    throw new ArgumentError(
      op,
      `padding is more than half of the window: padding ${formatShape(window.padding)}, kernelSize ${formatShape(window.kernel)}`,
      "Some windows would lie outside the image; use at most half of kernelSize",
    );
  }
  return window;
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
  return pair;
}

/**
 * Refuses what is no image of real numbers: [batch, height, width, channels], neither height nor
 * width 0.
 */
export function requireImages(op: string, x: Tensor): void {
  if (!isFloat(x.dtype)) {
    throw new DTypeError(
      op,
      `it takes real numbers, not ${x.dtype}: ${x.toString()}`,
      'Use cast(x, "f32") first',
    );
  }
  if (x.shape.length !== 4 || sizeOf(x.shape.slice(1, 3)) === 0) {
    throw new ShapeError(
      op,
      `x is no batch of images: ${formatShape(x.shape)}`,
      "It takes [batch, height, width, channels], with height and width of at least 1",
    );
  }
}

/**
 * The shape of the result. In ceil mode a last window that would begin in the padding behind the
 * image is dropped. Source: PyTorch, documentation of MaxPool2d.
 * @throws ShapeError when no window fits.
 */
export function pooledShape(op: string, shape: Shape, window: PoolWindow): Shape {
  const [batch = 0, height = 0, width = 0, channels = 0] = shape;
  const rows = windowCount(height, window, 0);
  const columns = windowCount(width, window, 1);
  if (rows < 1 || columns < 1) {
    throw new ShapeError(
      op,
      `no window fits into the image: window ${formatShape([spanOf(window, 0), spanOf(window, 1)])}, ` +
        `image ${formatShape([height, width])}, padding ${formatShape(window.padding)}`,
      "Use a smaller kernelSize or dilation, or larger images",
    );
  }
  return [batch, rows, columns, channels];
}

/** From the first element of a window to its last, both included. */
function spanOf({ kernel, dilation }: PoolWindow, axis: 0 | 1): number {
  return (kernel[axis] - 1) * dilation[axis] + 1;
}

/** How many windows fit along one axis. */
function windowCount(size: number, window: PoolWindow, axis: 0 | 1): number {
  const stride = window.stride[axis];
  const padding = window.padding[axis];
  const steps = (size + 2 * padding - spanOf(window, axis)) / stride;
  const count = (window.ceilMode ? Math.ceil(steps) : Math.floor(steps)) + 1;
  return window.ceilMode && (count - 1) * stride >= size + padding ? count - 1 : count;
}

/** The overrides of `shaders/lib/pool-window.wgsl`. */
export function windowOverrides({ kernel, stride, padding, dilation }: PoolWindow) {
  const [KERNEL_H, KERNEL_W] = kernel;
  const [STRIDE_H, STRIDE_W] = stride;
  const [PADDING_H, PADDING_W] = padding;
  const [DILATION_H, DILATION_W] = dilation;
  return {
    ...{ KERNEL_H, KERNEL_W, STRIDE_H, STRIDE_W },
    ...{ PADDING_H, PADDING_W, DILATION_H, DILATION_W },
  };
}

/** Members of `struct Params` that the pools have in common. */
export function imageParams(x: Shape, out: Shape, columns: number, window: PoolWindow) {
  const [, height = 0, width = 0] = x;
  const [, out_height = 0, out_width = 0] = out;
  const [kernel_h, kernel_w] = window.kernel;
  const [stride_h, stride_w] = window.stride;
  const loops = { kernel_h, kernel_w, stride_h, stride_w };
  return { columns, height, width, out_height, out_width, ...loops };
}
