/**
 * @file How pooling is shared out to invocations: each makes a strip, some rows of a block of neighbouring windows, so that
 * what windows have in common is loaded once. The shader's side of it is `shaders/lib/pool-window.wgsl`. Pure, no GPU.
 */
import type { Device } from "../device/device.ts";
import { ceilDiv, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { channelVectors } from "./channel-vectors.ts";
import { busyInvocations } from "./column-slices.ts";
import type { PoolWindow } from "./pool-window.ts";

/** The overrides of blocks. */
export interface PoolBlocks extends Readonly<Record<string, number>> {
  /** Neighbouring windows of a strip. */
  readonly BLOCK: 1 | 2;
  /** Pixels of a row of a block that are loaded: every STEP-th one. */
  readonly LOADS: number;
  readonly STEP: number;
  /** Rows that a window has in common with the next one below and that are carried over to it. */
  readonly CARRY: number;
}

/** The constants of these names in the shader. */
const mostLoads = 8;
const mostCarried = 2;
const mostWindows = 3;

/** Blocks of 2 windows where they overlap, unless they are large, else of 1. */
export function poolBlocks({ kernel, stride, dilation }: PoolWindow): PoolBlocks {
  const span = (kernel[1] - 1) * dilation[1];
  const STEP = greatestDivisor(stride[1], dilation[1]);
  const LOADS = (stride[1] + span) / STEP + 1;
  const common = dilation[0] === 1 ? Math.max(0, kernel[0] - stride[0]) : 0;
  const CARRY = common <= mostCarried ? common : 0;
  return stride[1] <= span && LOADS <= mostLoads
    ? { BLOCK: 2, LOADS, STEP, CARRY }
    : { BLOCK: 1, LOADS: kernel[1], STEP: dilation[1], CARRY };
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** Whether the gradient can be made in strips: a few windows over each pixel, without gaps. */
export function hasGradientStrips({ kernel, stride, dilation }: PoolWindow): boolean {
  return ([0, 1] as const).every(
    (axis) => dilation[axis] === 1 && Math.floor((kernel[axis] - 1) / stride[axis]) < mostWindows,
  );
}

/** Members of `struct Params`, named as there. */
export interface PoolStrips extends Readonly<Record<string, number>> {
  /** Invocations. */
  readonly count: number;
  /** Strips side by side. */
  readonly blocks: number;
  /** Strips one above the other. */
  readonly runs: number;
  /** Of a strip. */
  readonly rows: number;
}

/** A longer strip saves no more. */
const mostRows = 32;

/**
 * Strips for images of `height` rows and `blocks` blocks, of `columns` vectors of channels; their rows are a multiple of `pack`.
 */
export function poolStrips(
  device: Device,
  [images = 0, height = 0, blocks = 0, columns = 0]: Shape,
  pack = 1,
): PoolStrips {
  const busy = Math.floor((images * height * blocks * columns) / busyInvocations(device));
  const longest = Math.max(1, Math.min(busy, mostRows, height));
  const rows = ceilDiv(longest, pack) * pack;
  const runs = ceilDiv(height, rows);
  return { count: images * runs * blocks * columns, blocks, runs, rows };
}

/** A strip of the gradient has about as many pixels, where windows are large. */
const partPixels = 64;

/** Strips for the gradient of images like x: windows enough to cover its pixels and the padding before these. */
export function gradientStrips(x: Tensor, { stride, padding }: PoolWindow, block: number) {
  const [images = 0, height = 0, width = 0, channels = 1] = x.shape;
  const { columns } = channelVectors(x.dtype, channels);
  const rows = ceilDiv(height + padding[0], stride[0]);
  const blocks = ceilDiv(width + padding[1], block * stride[1]);
  const PARTS = Math.min(stride[0], ceilDiv(stride[0] * stride[1], partPixels));
  const strips = poolStrips(x.device, [images, rows, blocks, columns]);
  return { strips: { ...strips, count: strips.count * PARTS }, overrides: { PARTS } };
}
