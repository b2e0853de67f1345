/** @file Convolutions of images, their two gradients as ops of their own, and the transposed convolution. Kernels: `shaders/conv2d/`. */
import directSource from "../../shaders/conv2d/direct.wgsl";
import directInputGradientSource from "../../shaders/conv2d/direct-input-gradient.wgsl";
import directWeightGradientSource from "../../shaders/conv2d/direct-weight-gradient.wgsl";
import { ArgumentError, ShapeError } from "../errors.ts";
import { defineKernel, linearGrid, type ParamValues } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { ceilDiv, formatShape, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { add } from "./binary.ts";

type Pair = readonly [number, number];
export type Conv2dPadding = number | Pair | readonly [number, number, number, number] | "same" | "valid";

export interface Conv2dOptions {
  readonly bias?: Tensor;
  readonly stride?: number | Pair;
  readonly padding?: Conv2dPadding;
  readonly dilation?: number | Pair;
  readonly groups?: number;
}

/** Everything about a convolution but its data; see geometry.wgsl. */
interface Geometry {
  readonly xShape: Shape;
  readonly wShape: Shape;
  readonly outShape: Shape;
  readonly stride: Pair;
  readonly padTopLeft: Pair;
  readonly dilation: Pair;
  readonly groups: number;
}

const pair = (value: number | Pair): Pair => (typeof value === "number" ? [value, value] : value);

function geometryOf(x: Shape, w: Shape, options: Conv2dOptions): Geometry {
  const { groups = 1, padding = 0 } = options;
  const [stride, dilation] = [pair(options.stride ?? 1), pair(options.dilation ?? 1)];
  const [batch = 0, height = 0, width = 0, cin = 0] = x;
  const [kh = 0, kw = 0, wIn = 0, cout = 0] = w;
  if (x.length !== 4 || w.length !== 4 || cin !== wIn * groups || cout % groups !== 0) {
    throw new ShapeError("conv2d", `shapes do not fit: x ${formatShape(x)}, w ${formatShape(w)}, groups ${groups}`, "");
  }
  const [top, bottom, left, right] = sides(padding, [height, width], [kh, kw], stride, dilation);
  const size = (n: number, pad: number, k: number, d: number, s: number): number => Math.floor((n + pad - d * (k - 1) - 1) / s) + 1;
  const outHeight = size(height, top + bottom, kh, dilation[0], stride[0]);
  const outWidth = size(width, left + right, kw, dilation[1], stride[1]);
  if (outHeight < 1 || outWidth < 1) throw new ArgumentError("conv2d", "the kernel is larger than the image", "");
  const outShape = [batch, outHeight, outWidth, cout];
  return { xShape: x, wShape: w, outShape, stride, padTopLeft: [top, left], dilation, groups };
}

function sides(padding: Conv2dPadding, size: Pair, kernel: Pair, stride: Pair, dilation: Pair): [number, number, number, number] {
  if (padding === "valid") return [0, 0, 0, 0];
  if (padding === "same") {
    const total = (axis: 0 | 1): number =>
      Math.max(0, (ceilDiv(size[axis], stride[axis]) - 1) * stride[axis] + dilation[axis] * (kernel[axis] - 1) + 1 - size[axis]);
    const [h, w] = [total(0), total(1)];
    return [Math.floor(h / 2), Math.ceil(h / 2), Math.floor(w / 2), Math.ceil(w / 2)];
  }
  if (typeof padding === "number") return [padding, padding, padding, padding];
  if (padding.length === 2) return [padding[0], padding[0], padding[1], padding[1]];
  return [...padding];
}

function paramsOf({ xShape, wShape, outShape, stride, padTopLeft, dilation, groups }: Geometry): ParamValues {
  const [batch = 0, height = 0, width = 0, in_channels = 0] = xShape;
  const [, out_height = 0, out_width = 0, out_channels = 0] = outShape;
  return {
    batch, height, width, in_channels, out_height, out_width, out_channels, groups,
    kernel_height: wShape[0] ?? 0, kernel_width: wShape[1] ?? 0,
    stride_y: stride[0], stride_x: stride[1], pad_top: padTopLeft[0], pad_left: padTopLeft[1],
    dilation_y: dilation[0], dilation_x: dilation[1], splits: 1, part_rows: 0,
  };
}

const n = (params: ParamValues, ...names: string[]): number => names.reduce((product, name) => product * (params[name] as number), 1);
const forwardKernel = defineKernel({ name: "conv2d/direct", source: directSource, grid: (p) => linearGrid(n(p, "batch", "out_height", "out_width", "out_channels"), 64) });
const inputGradientKernel = defineKernel({ name: "conv2d-input-gradient/direct", source: directInputGradientSource, grid: (p) => linearGrid(n(p, "batch", "height", "width", "in_channels"), 64) });
const weightGradientKernel = defineKernel({ name: "conv2d-weight-gradient/direct", source: directWeightGradientSource, grid: (p) => linearGrid(n(p, "kernel_height", "kernel_width", "in_channels", "out_channels") / (p["groups"] as number), 64) });

const conv2dOp = defineOp<readonly [Tensor, Tensor], Geometry>({
  name: "conv2d",
  output: (_inputs, { outShape }) => ({ shape: outShape }),
  forward: ([x, w], out, geometry) => {
    forwardKernel({ x, w, bias: w, out }, paramsOf(geometry));
    return {};
  },
  gradient: (dy, { inputs: [x, w], attributes, needs }) => [
    needs[0] === true ? inputGradient([dy, w], attributes) : null,
    needs[1] === true ? weightGradient([x, dy], attributes) : null,
  ],
});

const inputGradient = defineOp<readonly [Tensor, Tensor], Geometry>({
  name: "conv2dInputGradient",
  output: (_inputs, { xShape }) => ({ shape: xShape }),
  forward: ([dy, w], dx, geometry) => {
    inputGradientKernel({ dy, w, dx }, paramsOf(geometry));
    return {};
  },
  gradient: null,
});

const weightGradient = defineOp<readonly [Tensor, Tensor], Geometry>({
  name: "conv2dWeightGradient",
  output: (_inputs, { wShape }) => ({ shape: wShape }),
  forward: ([x, dy], dw, geometry) => {
    weightGradientKernel({ x, dy, dw }, paramsOf(geometry));
    return {};
  },
  gradient: null,
});

/** Convolution of `x` `[batch, height, width, cin]` with `w` `[kh, kw, cin / groups, cout]`. */
export function conv2d(x: Tensor, w: Tensor, options: Conv2dOptions = {}): Tensor {
  const out = conv2dOp([x, w], geometryOf(x.shape, w.shape, options));
  return options.bias === undefined ? out : add(out, options.bias);
}

