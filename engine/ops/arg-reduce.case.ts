/** @file Cases of argMax and argMin. */
import { hostFrom, hostAt, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpError, type OpSample } from "../op-case.ts";
import { normalizeAxis, type Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { argMax, argMin } from "./arg-reduce.ts";
import type { ReduceOptions } from "./reduce.ts";

interface Args extends ReduceOptions {
  readonly axis: number;
}

/** The first NaN, else the first element that no other one beats. */
function reference(
  x: HostTensor,
  { axis, keepDims = false }: Args,
  beats: (a: number, b: number) => boolean,
): HostTensor {
  const along = normalizeAxis("reference", axis, x.shape.length);
  const result = hostFrom(x.shape.with(along, 1), (index) => {
    let best = 0;
    for (let r = 1; r < (x.shape[along] ?? 0); r++) {
      const value = hostAt(x, index.with(along, r));
      const champion = hostAt(x, index.with(along, best));
      if (Number.isNaN(champion)) break;
      if (Number.isNaN(value) || beats(value, champion)) best = r;
    }
    return best;
  });
  return keepDims ? result : { shape: x.shape.toSpliced(along, 1), data: result.data };
}

const sample = (shape: Shape, args: Args, more: Partial<InputSpec> = {}): OpSample<Args> => ({
  inputs: [{ shape, ...more }],
  args,
  gradient: false,
});

const samples: OpSample<Args>[] = [
  sample([1], { axis: 0 }),
  sample([7], { axis: 0, keepDims: true }),
  ...[31, 32, 63, 64, 65, 2047].map((length) => sample([length], { axis: 0 })),
  sample([256, 10], { axis: -1 }),
  sample([3, 4, 5], { axis: 0 }),
  sample([3, 4, 5], { axis: 1, keepDims: true }),
  sample([3, 4, 5], { axis: -1 }),
  sample([2, 300, 3], { axis: 1 }),
  sample([2, 0, 3], { axis: 2 }),
  sample([70_001], { axis: 0 }),
  sample([3, 50_000], { axis: 1 }),
  // Rows of vec4s, and 4 columns at once.
  ...[4, 8, 124, 128, 132, 1024].map((length) => sample([3, length], { axis: 1 })),
  sample([1100, 4], { axis: 1 }),
  sample([2, 300, 8], { axis: 1 }),
  sample([70, 12], { axis: 0 }),
  ...[
    { axis: 1, note: "many equal in each row" },
    { axis: 0, note: "many equal in each column" },
  ].map(({ axis, note }) => ({ note, ...sample([40, 40], { axis }, { range: [0, 0] }) })),
  { note: "few values", ...sample([40, 40], { axis: 1 }, { dtype: "u32", range: [0, 3] }) },
  { note: "many equal", ...sample([5000], { axis: 0 }, { range: [0, 0] }) },
  { note: "few values", ...sample([9, 400], { axis: 1 }, { dtype: "i32", range: [-3, 3] }) },
  {
    note: "above 2^31",
    ...sample([90], { axis: 0 }, { dtype: "u32", range: [2 ** 31 - 40, 2 ** 31 + 40] }),
  },
  {
    ...sample([3, 40], { axis: 1 }, { dtype: "f16" }),
    feature: "shader-f16",
    inputs: [{ shape: [3, 4], dtype: "f16", values: [1, 3, 2, 3, -1, -2, -1, -2, 0, 0, 0, 0] }],
  },
  {
    note: "NaN",
    ...sample([3, 4], { axis: 1 }, { values: [1, NaN, 9, NaN, NaN, 1, 2, 3, 0, 1, Infinity, NaN] }),
  },
  {
    note: "NaN in a late slice",
    ...sample(
      [700],
      { axis: 0 },
      { values: Array.from({ length: 700 }, (_, i) => (i === 650 || i === 690 ? NaN : i)) },
    ),
  },
  {
    note: "NaN in some columns",
    ...sample(
      [3, 4],
      { axis: 0 },
      { values: [1, NaN, 2, 3, NaN, 1, 2, Infinity, NaN, NaN, NaN, 9] },
    ),
  },
  {
    note: "infinities",
    ...sample(
      [2, 3],
      { axis: 1 },
      { values: [-Infinity, -Infinity, -Infinity, Infinity, 1, Infinity] },
    ),
  },
];

function errors(run: (x: Tensor, axis: number) => unknown): OpError[] {
  return [
    { what: "an axis that does not exist", run: () => run(tensor([[1, 2]]), 2) },
    { what: "an empty axis", run: () => run(tensor([], { shape: [2, 0] }), 1) },
    { what: "a scalar", run: () => run(tensor(1), 0) },
  ];
}

export const argMaxCase = opCase<Args>({
  ops: ["argMax"],
  title: "argMax",
  run: ([x], { axis, ...options }) => argMax(x as Tensor, axis, options),
  reference: ([x], args) => reference(x as HostTensor, args, (a, b) => a > b),
  samples,
  errors: errors(argMax),
});

export const argMinCase = opCase<Args>({
  ops: ["argMin"],
  title: "argMin",
  run: ([x], { axis, ...options }) => argMin(x as Tensor, axis, options),
  reference: ([x], args) => reference(x as HostTensor, args, (a, b) => a < b),
  samples,
  errors: errors(argMin),
});
