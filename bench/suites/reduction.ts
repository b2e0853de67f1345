/** @file Reductions of whole tensors, of rows, and for each channel; and the gradient of the last. */
import { argMax, max, mean, sizeOf, sum, type Shape, type Tensor } from "../../engine/index.ts";
import type { BenchCase } from "../case.ts";
import { at, input } from "./inputs.ts";
import { activations, memoryCase, named } from "./memory-case.ts";

/** Elements of x that belong to one element of the result. */
interface Members {
  readonly first: number;
  readonly step: number;
  readonly count: number;
}

interface Reduction {
  readonly op: string;
  readonly run: (x: Tensor) => Tensor;
  readonly members: (shape: Shape, index: number) => Members;
  readonly fold: (values: readonly number[]) => number;
}

const channelsOf = (shape: Shape): number => shape.at(-1) ?? 1;
const total = (values: readonly number[]): number => values.reduce((sum, v) => sum + v, 0);
const all = (shape: Shape): Members => ({ first: 0, step: 1, count: sizeOf(shape) });
const row = (shape: Shape, index: number): Members => {
  const count = channelsOf(shape);
  return { first: index * count, step: 1, count };
};
const channel = (shape: Shape, index: number): Members => {
  const step = channelsOf(shape);
  return { first: index, step, count: sizeOf(shape) / step };
};

const reductions: readonly Reduction[] = [
  { op: "sum of all", run: (x) => sum(x), members: all, fold: total },
  {
    op: "max of all",
    run: (x) => max(x),
    members: all,
    fold: (v) => v.reduce((a, b) => Math.max(a, b)),
  },
  {
    op: "mean of each row",
    run: (x) => mean(x, -1),
    members: row,
    fold: (v) => total(v) / v.length,
  },
  {
    op: "argmax of each row",
    run: (x) => argMax(x, -1),
    members: row,
    fold: (v) => v.indexOf(Math.max(...v)),
  },
  { op: "sum for each channel", run: (x) => sum(x, [0, 1, 2]), members: channel, fold: total },
];

function reductionCase({ op, run, members, fold }: Reduction, shape: Shape): BenchCase {
  const results = sizeOf(shape) / members(shape, 0).count;
  return memoryCase({
    suite: "reduction",
    op,
    shape: named(shape),
    numbers: sizeOf(shape) + results,
    prepare: (device) => {
      const x = input(device, shape, 1);
      const expected = (index: number): number => {
        const { first, step, count } = members(shape, index);
        return fold(Array.from({ length: count }, (_, i) => at(x.values, first + i * step)));
      };
      return { run: () => run(x.tensor), check: { expected, samples: 16, tolerance: 1e-3 } };
    },
  });
}

export function reductionCases(): readonly BenchCase[] {
  return activations.flatMap((shape) => reductions.map((r) => reductionCase(r, shape)));
}
