/** @file Cases of the matrix product: every variant, on both sides of its tiles. */
import { hostAtBroadcast, hostFrom, hostTensor, type HostTensor } from "../host-tensor.ts";
import { opCase, type OpError, type OpSample } from "../op-case.ts";
import { broadcastShapes, type Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { matmul, type MatmulOptions } from "./matmul.ts";
import { withVariant } from "./variants.ts";

interface Args extends MatmulOptions {
  /** Runs where it can; else the usual choice. */
  readonly variant?: string;
}

function run([a, b]: readonly Tensor[], { variant, ...options }: Args): Tensor {
  const product = (): Tensor => matmul(a as Tensor, b as Tensor, options);
  return variant === undefined ? product() : withVariant("matmul", variant, product);
}

/** The definition; a vector is a row on the left and a column on the right. */
function reference([a, b]: readonly HostTensor[], args: Args): HostTensor {
  const left = a as HostTensor;
  const right = b as HostTensor;
  const product = matrixProduct(
    left.shape.length === 1 ? hostTensor([1, ...left.shape], left.data) : left,
    right.shape.length === 1 ? hostTensor([...right.shape, 1], right.data) : right,
    args,
  );
  const shape = [...product.shape];
  if (right.shape.length === 1) shape.splice(-1, 1);
  if (left.shape.length === 1) shape.splice(right.shape.length === 1 ? -1 : -2, 1);
  return { shape, data: product.data };
}

function matrixProduct(a: HostTensor, b: HostTensor, options: MatmulOptions): HostTensor {
  const { transposeA = false, transposeB = false } = options;
  const batch = broadcastShapes("reference", a.shape.slice(0, -2), b.shape.slice(0, -2));
  const k = a.shape.at(transposeA ? -2 : -1) ?? 0;
  const m = a.shape.at(transposeA ? -1 : -2) ?? 0;
  const n = b.shape.at(transposeB ? -2 : -1) ?? 0;
  return hostFrom([...batch, m, n], (index) => {
    const outer = index.slice(0, -2);
    const [i = 0, j = 0] = index.slice(-2);
    let total = 0;
    for (let p = 0; p < k; p++) {
      const x = elementOf(a, outer, transposeA ? [p, i] : [i, p]);
      total += x * elementOf(b, outer, transposeB ? [j, p] : [p, j]);
    }
    return total;
  });
}

/** An element of a matrix of a stack whose leading axes are broadcast; the matrix axes are not. */
function elementOf(x: HostTensor, outer: readonly number[], [row = 0, column = 0]: Shape): number {
  if (x.shape.length === 2) return x.data[row * (x.shape[1] ?? 0) + column] ?? NaN;
  return hostAtBroadcast(x, [...outer, row, column]);
}

const sample = (a: Shape, b: Shape, args: Args = {}): OpSample<Args> => ({
  inputs: [{ shape: a }, { shape: b }],
  args,
});

const transposes = [
  {},
  { transposeA: true },
  { transposeB: true },
  { transposeA: true, transposeB: true },
];

/** m x k times k x n in all four layouts. */
function layouts(variant: string, m: number, n: number, k: number): OpSample<Args>[] {
  return transposes.map((options) => ({
    note: variant,
    ...sample(
      "transposeA" in options ? [k, m] : [m, k],
      "transposeB" in options ? [n, k] : [k, n],
      {
        variant,
        ...options,
      },
    ),
    gradient: m * n * k < 5000,
  }));
}

/** Rows of ones, but for the last number of each. */
function rowsEndingWith(last: readonly number[], length: number): number[] {
  return last.flatMap((value) => [...new Array<number>(length - 1).fill(1), value]);
}

const samples: OpSample<Args>[] = [
  ...(["naive", "tiled", "tiled-32"] as const).flatMap((variant) => [
    ...layouts(variant, 1, 1, 1),
    ...layouts(variant, 5, 7, 3),
    ...layouts(variant, 63, 65, 17),
    ...layouts(variant, 64, 64, 16),
    ...layouts(variant, 65, 63, 15),
    ...layouts(variant, 68, 36, 20),
    {
      note: `${variant}, a stack`,
      ...sample([3, 33, 8], [3, 8, 20], { variant }),
      gradient: false,
    },
    { note: `${variant}, an odd stack`, ...sample([3, 5, 7], [3, 7, 9], { variant }) },
    { note: `${variant}, a shared a`, ...sample([33, 6], [3, 6, 20], { variant }) },
  ]),
  // Parts of 8 steps of 16 or more, the last one shorter.
  ...layouts("split-k", 1, 1, 256),
  ...layouts("split-k", 5, 7, 257),
  ...layouts("split-k", 12, 20, 271),
  ...layouts("split-k", 65, 63, 300),
  ...layouts("split-k", 68, 64, 276),
  ...layouts("split-k", 3, 4, 1000),
  {
    note: "split-k, a stack",
    ...sample([3, 5, 260], [3, 260, 8], { variant: "split-k" }),
    gradient: false,
  },
  {
    note: "split-k, a shared a",
    ...sample([33, 258], [3, 258, 5], { variant: "split-k" }),
    gradient: false,
  },
  ...(["register", "subgroup"] as const).flatMap((variant) => [
    ...layouts(variant, 4, 4, 4),
    ...layouts(variant, 12, 16, 8),
    ...layouts(variant, 32, 32, 12),
    ...layouts(variant, 36, 36, 8),
    ...layouts(variant, 28, 20, 4),
    ...layouts(variant, 68, 100, 32),
    // Rows may have any number where they are not stored contiguously.
    ...[1, 3, 31, 33].map((m) => ({ note: variant, ...sample([m, 8], [8, 36], { variant }) })),
    {
      note: `${variant}, a stack`,
      ...sample([3, 33, 8], [3, 8, 20], { variant }),
      gradient: false,
    },
  ]),
  ...[
    ...layouts("packed", 1, 1, 1),
    ...layouts("packed", 5, 7, 3),
    ...layouts("packed", 32, 32, 32),
    ...layouts("packed", 31, 33, 5),
    ...layouts("packed", 33, 36, 8),
    ...layouts("packed", 36, 31, 130),
    ...layouts("packed", 68, 100, 127),
    { note: "packed, a stack", ...sample([3, 33, 7], [3, 7, 37], { variant: "packed" }) },
    { note: "packed, a shared b", ...sample([3, 5, 33], [33, 20], { variant: "packed" }) },
    { note: "packed, a shared a", ...sample([33, 6], [3, 6, 20], { variant: "packed" }) },
  ],
  { note: "a long sum", ...sample([3, 4000], [4000, 4]), gradient: false, tolerance: 1e-4 },
  sample([2, 3, 4], [2, 4, 5]),
  sample([2, 3, 4], [2, 5, 4], { transposeB: true }),
  sample([2, 4, 3], [2, 4, 5], { transposeA: true }),
  { note: "a stack by one matrix", ...sample([3, 5, 4], [4, 6]) },
  { note: "a stack by one matrix", ...sample([3, 5, 4], [6, 4], { transposeB: true }) },
  { note: "a stack by one matrix", ...sample([3, 4, 5], [4, 6], { transposeA: true }) },
  { note: "a stack by a stack of one", ...sample([3, 5, 4], [1, 4, 6]) },
  { note: "one matrix by a stack", ...sample([5, 4], [3, 4, 6]) },
  { note: "stacks that broadcast", ...sample([2, 1, 3, 4], [3, 4, 2]) },
  { note: "stacks that broadcast both ways", ...sample([4, 1, 4, 8], [3, 8, 4]) },
  { note: "two vectors", ...sample([6], [6]) },
  { note: "a vector by a matrix", ...sample([4], [4, 5]) },
  { note: "a matrix by a vector", ...sample([5, 4], [4]) },
  { note: "a stack by a vector", ...sample([2, 3, 4], [4]) },
  { note: "a vector by a stack", ...sample([4], [2, 4, 3]) },
  { note: "no rows", ...sample([0, 4], [4, 3]) },
  { note: "no columns", ...sample([3, 4], [4, 0]) },
  { note: "empty sums", ...sample([3, 0], [0, 4]) },
  { note: "no matrices", ...sample([0, 3, 4], [0, 4, 2]) },
  ...(["naive", "tiled", "tiled-32", "register", "subgroup", "packed"] as const).map(
    (variant): OpSample<Args> => ({
      note: `${variant}, NaN and infinities`,
      inputs: [
        {
          shape: [4, 4],
          values: [1, 2, 3, 4, NaN, 1, 1, 1, Infinity, 1, 0, 0, 0, 0, 0, -Infinity],
        },
        { shape: [4, 4], values: [1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 1] },
      ],
      args: { variant },
      gradient: false,
    }),
  ),
  {
    note: "split-k, NaN and infinities",
    inputs: [
      { shape: [3, 257], values: rowsEndingWith([1, NaN, -Infinity], 257) },
      { shape: [257, 5] },
    ],
    args: { variant: "split-k" },
    gradient: false,
  },
  ...(
    [
      ["naive", 9, 8, 20],
      ["tiled", 9, 8, 20],
      ["tiled", 9, 7, 19],
      ["tiled-32", 9, 8, 20],
      ["split-k", 9, 260, 20],
      ["split-k", 9, 259, 19],
      ["register", 9, 8, 20],
      ["subgroup", 9, 8, 20],
      ["packed", 9, 8, 20],
    ] as const
  ).map(([variant, m, k, n]): OpSample<Args> => ({
    note: variant,
    inputs: [
      { shape: [m, k], dtype: "f16" },
      { shape: [k, n], dtype: "f16" },
    ],
    args: { variant },
    gradient: false,
    tolerance: 2e-3,
    feature: "shader-f16",
  })),
];

const errors: OpError[] = [
  { what: "inner sizes that differ", run: () => matmul(tensor([[1, 2]]), tensor([[1, 2]])) },
  {
    what: "inner sizes that differ, transposed",
    run: () => matmul(tensor([[1, 2]]), tensor([[1], [2]]), { transposeB: true }),
  },
  {
    what: "batches that do not broadcast",
    run: () =>
      matmul(
        tensor(new Float32Array(12), { shape: [2, 2, 3] }),
        tensor(new Float32Array(18), { shape: [3, 3, 2] }),
      ),
  },
  { what: "a number", run: () => matmul(tensor(2), tensor([[1]])) },
  {
    what: "a transposed vector",
    run: () => matmul(tensor([1, 2]), tensor([[1], [2]]), { transposeA: true }),
  },
  {
    what: "whole numbers",
    run: () => matmul(tensor([[1]], { dtype: "i32" }), tensor([[1]], { dtype: "i32" })),
  },
  {
    what: "two element types",
    run: () => matmul(tensor([[1]]), tensor([[1]], { dtype: "u32" })),
  },
];

export const matmulCase = opCase<Args>({
  ops: ["matmul"],
  title: "matmul",
  run,
  reference,
  samples,
  errors,
});
