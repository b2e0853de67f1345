/** @file Cases of pooling whole images. */
import { hostAt, hostFrom, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpError, type OpSample } from "../op-case.ts";
import type { Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import {
  adaptiveAvgPool2d,
  adaptiveMaxPool2d,
  globalAveragePool,
  globalMaxPool,
  type AdaptiveSize,
} from "./global-pool.ts";

/** Pools to [batch, channels], or to [batch, 1, 1, channels] for the adaptive ones. */
type Args = { readonly outputSize?: AdaptiveSize } | undefined;

function reference(
  x: HostTensor,
  args: Args,
  combine: (values: readonly number[]) => number,
): HostTensor {
  const [batch = 0, height = 0, width = 0, channels = 0] = x.shape;
  const shape = args === undefined ? [batch, channels] : [batch, 1, 1, channels];
  return hostFrom(shape, (index) => {
    const pixels = Array.from({ length: height * width }, (_, k) =>
      hostAt(x, [index[0] ?? 0, Math.floor(k / width), k % width, index.at(-1) ?? 0]),
    );
    return combine(pixels);
  });
}

const shapes: Shape[] = [
  ...[1, 3, 4, 5, 17, 64].map((channels) => [2, 7, 7, channels]),
  [1, 1, 1, 1],
  [3, 1, 5, 8],
  [2, 17, 16, 4],
  [1, 40, 33, 6],
  [0, 4, 4, 4],
  [2, 4, 4, 0],
];

function samples(more: Partial<InputSpec>): OpSample<Args>[] {
  return [
    ...shapes.map((shape) => ({ inputs: [{ shape, ...more }], args: undefined })),
    { note: "adaptive", inputs: [{ shape: [2, 5, 4, 8], ...more }], args: { outputSize: 1 } },
    {
      note: "adaptive",
      inputs: [{ shape: [1, 40, 33, 3], ...more }],
      args: { outputSize: [1, 1] },
    },
    {
      note: "NaN",
      inputs: [{ shape: [1, 2, 2, 2], values: [1, 2, NaN, 5, 3, 4, 0, 9] }],
      args: undefined,
      gradient: false,
    },
  ];
}

const halves = new Float32Array(8);

function errors(
  globalPool: (x: Tensor) => Tensor,
  adaptivePool: (x: Tensor, outputSize: AdaptiveSize) => Tensor,
): OpError[] {
  return [
    { what: "a matrix", run: () => globalPool(tensor([[1, 2]])) },
    { what: "no pixels", run: () => globalPool(tensor([], { shape: [2, 0, 3, 4] })) },
    {
      what: "whole numbers",
      run: () => globalPool(tensor([1], { shape: [1, 1, 1, 1], dtype: "u32" })),
    },
    {
      what: "another size than 1",
      run: () =>
        adaptivePool(tensor(halves, { shape: [1, 2, 2, 2] }), [1, 2] as unknown as AdaptiveSize),
    },
  ];
}

export const globalAveragePoolCase = opCase<Args>({
  ops: ["globalAveragePool"],
  title: "globalAveragePool",
  run: ([x], args) =>
    args === undefined
      ? globalAveragePool(x as Tensor)
      : adaptiveAvgPool2d(x as Tensor, args.outputSize ?? 1),
  reference: ([x], args) =>
    reference(
      x as HostTensor,
      args,
      (pixels) => pixels.reduce((sum, value) => sum + value, 0) / pixels.length,
    ),
  samples: samples({}),
  errors: errors(globalAveragePool, adaptiveAvgPool2d),
});

export const globalMaxPoolCase = opCase<Args>({
  ops: ["maxPool2d"],
  title: "globalMaxPool",
  run: ([x], args) =>
    args === undefined
      ? globalMaxPool(x as Tensor)
      : adaptiveMaxPool2d(x as Tensor, args.outputSize ?? 1),
  reference: ([x], args) => reference(x as HostTensor, args, (pixels) => Math.max(...pixels)),
  samples: samples({ apart: 1e-3 }),
  errors: errors(globalMaxPool, adaptiveMaxPool2d),
});
