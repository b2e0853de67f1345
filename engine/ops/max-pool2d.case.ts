/** @file Cases of maximum pooling and of its indices. */
import { hostAt, hostFrom, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpError, type OpSample } from "../op-case.ts";
import type { Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { maxPool2d, maxPool2dWithIndices, type MaxPoolOptions } from "./max-pool2d.ts";
import { pooledShape, poolWindow } from "./pool-window.ts";

/**
 * The first largest element of a window, or the last NaN; -Infinity at -1 where the window holds
 * none.
 */
function winner(
  x: HostTensor,
  [n = 0, o = 0, p = 0, c = 0]: readonly number[],
  options: MaxPoolOptions,
): { value: number; index: number } {
  const [, height = 0, width = 0] = x.shape;
  const { kernel, stride, padding, dilation } = poolWindow("reference", options, options.dilation);
  let best = { value: -Infinity, index: -1 };
  for (let r = 0; r < kernel[0]; r++) {
    for (let s = 0; s < kernel[1]; s++) {
      const i = o * stride[0] - padding[0] + r * dilation[0];
      const j = p * stride[1] - padding[1] + s * dilation[1];
      if (i < 0 || j < 0 || i >= height || j >= width) continue;
      const value = hostAt(x, [n, i, j, c]);
      if (best.index === -1 || value > best.value || Number.isNaN(value)) {
        best = { value, index: i * width + j };
      }
    }
  }
  return best;
}

function outShape(x: HostTensor, options: MaxPoolOptions): Shape {
  return pooledShape("reference", x.shape, poolWindow("reference", options, options.dilation));
}

const sample = (
  shape: Shape,
  args: MaxPoolOptions,
  more: Partial<InputSpec> = { apart: 1e-3 },
): OpSample<MaxPoolOptions> => ({ inputs: [{ shape, ...more }], args });

const nan = NaN;
const infinity = Infinity;

const samples: OpSample<MaxPoolOptions>[] = [
  ...[1, 3, 4, 5, 17, 64].map((channels) => sample([2, 6, 6, channels], { kernelSize: 2 })),
  ...[1, 4, 5].map((channels) =>
    sample([2, 9, 7, channels], { kernelSize: 3, stride: 2, padding: 1 }),
  ),
  { note: "as in ResNet", ...sample([1, 14, 14, 64], { kernelSize: 3, stride: 2, padding: 1 }) },
  sample([1, 1, 1, 1], { kernelSize: 1 }),
  sample([3, 1, 9, 2], { kernelSize: [1, 3], stride: [1, 2], padding: [0, 1] }),
  sample([1, 8, 5, 4], { kernelSize: [2, 3], stride: [3, 1], padding: [1, 0] }),
  { note: "gaps between windows", ...sample([1, 9, 9, 4], { kernelSize: 2, stride: 4 }) },
  sample([2, 10, 11, 6], { kernelSize: 3, stride: 1, dilation: 2, padding: 1 }),
  sample([1, 12, 9, 8], { kernelSize: [2, 3], stride: [2, 1], dilation: [3, 2], padding: [1, 1] }),
  {
    note: "a dilated window without elements",
    ...sample([1, 3, 3, 4], { kernelSize: 2, stride: 1, dilation: 4, padding: 1 }),
    gradient: false,
  },
  { note: "rounded up", ...sample([1, 6, 6, 4], { kernelSize: 3, stride: 2, ceilMode: true }) },
  {
    note: "rounded up, as in SqueezeNet",
    ...sample([1, 10, 13, 6], { kernelSize: 3, stride: 2, ceilMode: true }),
  },
  {
    note: "rounded up, padded rows, columns with gaps",
    ...sample([2, 8, 7, 5], {
      kernelSize: [3, 2],
      stride: [2, 3],
      padding: [1, 0],
      ceilMode: true,
    }),
  },
  {
    note: "rounded up, dilated",
    ...sample([1, 8, 9, 3], { kernelSize: 2, stride: 3, dilation: [3, 2], ceilMode: true }),
  },
  {
    note: "rounded up, the last window beyond the padding",
    ...sample([2, 5, 5, 3], { kernelSize: 2, stride: 2, padding: 1, ceilMode: true }),
  },
  {
    note: "rounded up, the last window dropped",
    ...sample([1, 5, 4, 4], { kernelSize: 2, stride: 3, padding: 1, ceilMode: true }),
  },
  {
    note: "a window larger than the image, padded",
    ...sample([2, 2, 3, 5], { kernelSize: [4, 5], stride: 1, padding: 2 }),
  },
  {
    note: "a window larger than the image, rounded up",
    ...sample([1, 3, 3, 4], { kernelSize: 4, stride: 2, ceilMode: true }),
  },
  { note: "257 taps", ...sample([1, 1, 300, 4], { kernelSize: [1, 257], stride: [1, 7] }) },
  { note: "257 taps", ...sample([1, 290, 2, 3], { kernelSize: [257, 1], stride: [9, 1] }) },
  {
    note: "more than 65,536 taps",
    ...sample([1, 257, 260, 1], { kernelSize: [256, 257], stride: 1 }),
    gradient: false,
  },
  { note: "no images", ...sample([0, 6, 6, 4], { kernelSize: 2 }) },
  { note: "no channels", ...sample([2, 6, 6, 0], { kernelSize: 2 }) },
  {
    note: "equal elements",
    ...sample([1, 4, 4, 4], { kernelSize: 3, stride: 1 }, { range: [1, 1] }),
    gradient: false,
  },
  {
    note: "NaN and infinities",
    ...sample(
      [1, 4, 4, 1],
      { kernelSize: 2, stride: 1 },
      {
        values: [
          ...[nan, 1, 5, -infinity],
          ...[2, 3, -infinity, -infinity],
          ...[nan, infinity, nan, 7],
          ...[-1, -infinity, 9, nan],
        ],
      },
    ),
    gradient: false,
  },
  {
    note: "nothing but -infinity",
    ...sample(
      [1, 2, 2, 4],
      { kernelSize: 2, padding: 1, stride: 1 },
      { values: Array.from({ length: 16 }, () => -infinity) },
    ),
    gradient: false,
  },
  {
    ...sample(
      [1, 4, 4, 4],
      { kernelSize: 2 },
      { dtype: "f16", values: Array.from({ length: 64 }, (_, i) => ((i * 37) % 64) / 8) },
    ),
    feature: "shader-f16",
  },
];

const image = (): Tensor => tensor(new Float32Array(2 * 6 * 6 * 4), { shape: [2, 6, 6, 4] });

const errors: OpError[] = [
  {
    what: "a matrix",
    run: () => maxPool2d(tensor([[1, 2]]), { kernelSize: 2 }),
  },
  {
    what: "whole numbers",
    run: () => maxPool2d(tensor([1], { shape: [1, 1, 1, 1], dtype: "i32" }), { kernelSize: 1 }),
  },
  {
    what: "images without rows",
    run: () => maxPool2d(tensor([], { shape: [1, 0, 4, 4] }), { kernelSize: 1 }),
  },
  { what: "a window of 0", run: () => maxPool2d(image(), { kernelSize: 0 }) },
  { what: "a stride of 0", run: () => maxPool2d(image(), { kernelSize: 2, stride: 0 }) },
  { what: "half a dilation", run: () => maxPool2d(image(), { kernelSize: 2, dilation: 0.5 }) },
  {
    what: "three sizes",
    run: () => maxPool2d(image(), { kernelSize: [2, 2, 2] as unknown as [number, number] }),
  },
  { what: "too much padding", run: () => maxPool2d(image(), { kernelSize: 3, padding: 2 }) },
  { what: "a window that does not fit", run: () => maxPool2d(image(), { kernelSize: [3, 7] }) },
  {
    what: "a dilated window that does not fit",
    run: () => maxPool2dWithIndices(image(), { kernelSize: 3, dilation: 4, padding: 1 }),
  },
];

function values([x]: readonly HostTensor[], options: MaxPoolOptions): HostTensor {
  const host = x as HostTensor;
  return hostFrom(outShape(host, options), (index) => winner(host, index, options).value);
}

export const maxPool2dCase = opCase<MaxPoolOptions>({
  ops: ["maxPool2d"],
  title: "maxPool2d",
  run: ([x], options) => maxPool2d(x as Tensor, options),
  reference: values,
  samples,
  errors,
});

/** The gradient for a maximum taken with its indices is the same. */
export const maxPool2dValuesCase = opCase<MaxPoolOptions>({
  ops: ["maxPool2d"],
  title: "maxPool2dWithIndices, values",
  run: ([x], options) => maxPool2dWithIndices(x as Tensor, options).out,
  reference: values,
  samples: samples.slice(0, 8),
});

export const maxPool2dIndicesCase = opCase<MaxPoolOptions>({
  ops: ["maxPool2d"],
  title: "maxPool2dWithIndices, indices",
  run: ([x], options) => maxPool2dWithIndices(x as Tensor, options).indices,
  reference: ([x], options) => {
    const host = x as HostTensor;
    return hostFrom(outShape(host, options), (index) => winner(host, index, options).index);
  },
  samples: samples.map((one) => ({ ...one, gradient: false })),
});
