/** @file Cases of average pooling. */
import { hostAt, hostFrom, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpError, type OpSample } from "../op-case.ts";
import type { Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { avgPool2d, type AvgPoolOptions } from "./avg-pool2d.ts";
import { pooledShape, poolWindow } from "./pool-window.ts";

function reference(x: HostTensor, options: AvgPoolOptions): HostTensor {
  const { countIncludePad = true, divisorOverride } = options;
  const [, height = 0, width = 0] = x.shape;
  const window = poolWindow("reference", options);
  const { kernel, stride, padding } = window;
  return hostFrom(pooledShape("reference", x.shape, window), ([n = 0, o = 0, p = 0, c = 0]) => {
    let total = 0;
    let count = 0;
    for (let r = 0; r < kernel[0]; r++) {
      for (let s = 0; s < kernel[1]; s++) {
        const i = o * stride[0] - padding[0] + r;
        const j = p * stride[1] - padding[1] + s;
        const inside = i >= 0 && j >= 0 && i < height && j < width;
        const padded = i < height + padding[0] && j < width + padding[1];
        if (inside) total += hostAt(x, [n, i, j, c]);
        if (inside || (countIncludePad && padded)) count++;
      }
    }
    return total / (divisorOverride ?? count);
  });
}

const sample = (
  shape: Shape,
  args: AvgPoolOptions,
  more: Partial<InputSpec> = {},
): OpSample<AvgPoolOptions> => ({ inputs: [{ shape, ...more }], args });

const countings: Partial<AvgPoolOptions>[] = [
  {},
  { countIncludePad: false },
  { divisorOverride: 3 },
];

const samples: OpSample<AvgPoolOptions>[] = [
  ...[1, 3, 4, 5, 17, 64].map((channels) => sample([2, 6, 6, channels], { kernelSize: 2 })),
  ...countings.flatMap((counting) => [
    sample([2, 9, 7, 4], { kernelSize: 3, stride: 2, padding: 1, ...counting }),
    sample([1, 8, 5, 3], { kernelSize: [2, 3], stride: [3, 1], padding: [1, 0], ...counting }),
    {
      note: "rounded up, the last window beyond the padding",
      ...sample([2, 5, 5, 4], {
        ...{ kernelSize: 2, stride: 2, padding: 1, ceilMode: true },
        ...counting,
      }),
    },
    {
      note: "rounded up, the last window dropped",
      ...sample([1, 5, 4, 1], {
        ...{ kernelSize: 2, stride: 3, padding: 1, ceilMode: true },
        ...counting,
      }),
    },
    {
      note: "a window larger than the image, padded",
      ...sample([2, 2, 3, 5], { kernelSize: [4, 5], stride: 1, padding: 2, ...counting }),
    },
    {
      note: "a window larger than the image, rounded up",
      ...sample([1, 3, 3, 4], { kernelSize: 4, stride: 2, ceilMode: true, ...counting }),
    },
  ]),
  sample([1, 1, 1, 1], { kernelSize: 1 }),
  { note: "gaps between windows", ...sample([1, 9, 9, 4], { kernelSize: 2, stride: 4 }) },
  sample([3, 7, 1, 2], { kernelSize: [7, 1] }),
  { note: "a negative divisor", ...sample([1, 4, 4, 4], { kernelSize: 2, divisorOverride: -0.5 }) },
  { note: "no images", ...sample([0, 6, 6, 4], { kernelSize: 2 }) },
  { note: "no channels", ...sample([2, 6, 6, 0], { kernelSize: 2 }) },
  {
    note: "NaN and infinities",
    ...sample(
      [1, 2, 4, 1],
      { kernelSize: 2, stride: 1 },
      { values: [NaN, 1, Infinity, 2, 3, 4, 5, -Infinity] },
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
    tolerance: 1e-3,
  },
];

const image = (): Tensor => tensor(new Float32Array(2 * 6 * 6 * 4), { shape: [2, 6, 6, 4] });

const errors: OpError[] = [
  { what: "a matrix", run: () => avgPool2d(tensor([[1, 2]]), { kernelSize: 2 }) },
  {
    what: "whole numbers",
    run: () => avgPool2d(tensor([1], { shape: [1, 1, 1, 1], dtype: "i32" }), { kernelSize: 1 }),
  },
  { what: "a negative padding", run: () => avgPool2d(image(), { kernelSize: 2, padding: -1 }) },
  { what: "too much padding", run: () => avgPool2d(image(), { kernelSize: 3, padding: [1, 2] }) },
  { what: "a divisor of 0", run: () => avgPool2d(image(), { kernelSize: 2, divisorOverride: 0 }) },
  { what: "a window that does not fit", run: () => avgPool2d(image(), { kernelSize: [3, 7] }) },
];

export const avgPool2dCase = opCase<AvgPoolOptions>({
  ops: ["avgPool2d"],
  title: "avgPool2d",
  run: ([x], options) => avgPool2d(x as Tensor, options),
  reference: ([x], options) => reference(x as HostTensor, options),
  samples,
  errors,
});
