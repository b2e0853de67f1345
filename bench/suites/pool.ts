/** @file Pooling and its gradients: ResNet's 3 x 3 / 2 max pool, its global average, and 2 x 2 windows. */
import {
  avgPool2d,
  globalAveragePool,
  maxPool2d,
  setRequiresGrad,
  sizeOf,
  type Device,
  type Shape,
  type Tensor,
} from "../../engine/index.ts";
import type { BenchCase, Prepared } from "../case.ts";
import { at, input } from "./inputs.ts";
import { backwardOnly, memoryCase, named, samples } from "./memory-case.ts";

/** Square windows: pixels of x that belong to each pixel of out. */
interface Window {
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
}

interface Pool extends Window {
  readonly op: string;
  readonly shape: Shape;
  readonly kind: "max" | "average";
  readonly run: (x: Tensor) => Tensor;
}

const stemPool = { kernel: 3, stride: 2, padding: 1 };
const halving = { kernel: 2, stride: 2, padding: 0 };

const pools: readonly Pool[] = [
  {
    ...{ op: "max pool 3x3/2", kind: "max", shape: [8, 112, 112, 64], ...stemPool },
    run: (x) => maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1 }),
  },
  {
    ...{ op: "max pool 2x2/2", kind: "max", shape: [64, 28, 28, 16], ...halving },
    run: (x) => maxPool2d(x, { kernelSize: 2 }),
  },
  {
    ...{ op: "average pool 2x2/2", kind: "average", shape: [8, 56, 56, 64], ...halving },
    run: (x) => avgPool2d(x, { kernelSize: 2 }),
  },
  {
    ...{ op: "global average pool", kind: "average", shape: [8, 7, 7, 512] },
    ...{ kernel: 7, stride: 7, padding: 0 },
    run: (x) => globalAveragePool(x),
  },
];

/** Geometry of a pool, on the host. */
function walker({ shape, kernel, stride, padding }: Pool) {
  const [, height = 1, width = 1, channels = 1] = shape;
  const outOf = (size: number): number => Math.floor((size + 2 * padding - kernel) / stride) + 1;
  const [outHeight, outWidth] = [outOf(height), outOf(width)];
  /** Positions in x of the window of an element of out. */
  const window = (index: number): readonly number[] => {
    const channel = index % channels;
    const pixel = Math.floor(index / channels);
    const [ox, oy] = [pixel % outWidth, Math.floor(pixel / outWidth) % outHeight];
    const image = Math.floor(pixel / (outWidth * outHeight));
    const places: number[] = [];
    for (let ky = 0; ky < kernel; ky++) {
      for (let kx = 0; kx < kernel; kx++) {
        const [y, x] = [oy * stride + ky - padding, ox * stride + kx - padding];
        if (y < 0 || y >= height || x < 0 || x >= width) continue;
        places.push(((image * height + y) * width + x) * channels + channel);
      }
    }
    return places;
  };
  const outSize = (shape[0] ?? 1) * outHeight * outWidth * channels;
  return { window, outSize };
}

function forward(device: Device, pool: Pool): Prepared {
  const { window } = walker(pool);
  const x = input(device, pool.shape, 1);
  const expected = (index: number): number => {
    const values = window(index).map((place) => at(x.values, place));
    if (pool.kind === "max") return Math.max(...values);
    return values.reduce((sum, v) => sum + v, 0) / values.length;
  };
  return { run: () => pool.run(x.tensor), check: { expected, samples, tolerance: 1e-5 } };
}

function backward(device: Device, pool: Pool): Prepared {
  const { window, outSize } = walker(pool);
  const x = input(device, pool.shape, 1);
  setRequiresGrad(x.tensor, true);
  const out = pool.run(x.tensor);
  const dy = input(device, out.shape, 2);
  const dx = new Float64Array(x.values.length);
  for (let o = 0; o < outSize; o++) {
    const places = window(o);
    if (pool.kind === "average") {
      for (const place of places) dx[place] = at(dx, place) + at(dy.values, o) / places.length;
    } else {
      const best = places.reduce((a, b) => (at(x.values, b) > at(x.values, a) ? b : a));
      dx[best] = at(dx, best) + at(dy.values, o);
    }
  }
  return {
    run: backwardOnly(out, x.tensor, dy.tensor),
    check: { expected: (i) => at(dx, i), samples, tolerance: 1e-5 },
  };
}

export function poolCases(): readonly BenchCase[] {
  return pools.flatMap((pool) => {
    const size = sizeOf(pool.shape);
    const { outSize } = walker(pool);
    const common = { suite: "pool", shape: named(pool.shape) };
    // The gradient of a max pool must know where the maximum was: a number for each element of out.
    const extra = pool.kind === "max" ? outSize : 0;
    return [
      memoryCase({
        ...{ ...common, op: pool.op, numbers: size + outSize },
        prepare: (device) => forward(device, pool),
      }),
      memoryCase({
        ...{ ...common, op: `${pool.op}: gradient`, numbers: size + outSize + extra },
        prepare: (device) => backward(device, pool),
      }),
    ];
  });
}
