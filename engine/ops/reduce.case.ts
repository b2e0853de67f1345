/** @file Cases of sum, mean, max, min, prod and variance. */
import { hostFrom, hostTensor, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpError, type OpSample } from "../op-case.ts";
import { normalizeAxes, sizeOf, stridesOf, type Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { max, mean, min, prod, sum, sumTo, variance, type ReduceOptions } from "./reduce.ts";

interface Args extends ReduceOptions {
  readonly axes?: number | readonly number[];
}

/** The definition of a reduction: collect the elements that meet in each result, in order, then apply `reduce`. */
function reference(
  x: HostTensor,
  { axes, keepDims = false }: Args,
  reduce: (elements: readonly number[]) => number,
): HostTensor {
  const reduced = normalizeAxes("reference", axes, x.shape.length);
  const kept = x.shape.map((size, axis) => (reduced.includes(axis) ? 1 : size));
  const keptStrides = stridesOf(kept);
  const groups = Array.from({ length: sizeOf(kept) }, (): number[] => []);
  let i = 0;
  hostFrom(x.shape, (index) => {
    const group = index.reduce(
      (at, position, axis) =>
        at + (reduced.includes(axis) ? 0 : position * (keptStrides[axis] ?? 0)),
      0,
    );
    groups[group]?.push(x.data[i++] ?? NaN);
    return 0;
  });
  const shape = keepDims ? kept : kept.filter((_, axis) => !reduced.includes(axis));
  return hostTensor(shape, groups.map(reduce));
}

const add = (elements: readonly number[]): number => elements.reduce((a, b) => a + b, 0);
const multiply = (elements: readonly number[]): number => elements.reduce((a, b) => a * b, 1);
const average = (elements: readonly number[]): number => add(elements) / elements.length;
const largest = (elements: readonly number[]): number =>
  elements.reduce((a, b) => Math.max(a, b), -Infinity);
const smallest = (elements: readonly number[]): number =>
  elements.reduce((a, b) => Math.min(a, b), Infinity);

/** Any `min` or `max` of ties has no derivative; distances of this size keep the probes of the gradient apart. */
const apart = 0.001;

const shaped = (shape: Shape, args: Args = {}, more: Partial<InputSpec> = {}): OpSample<Args> => ({
  inputs: [{ shape, ...more }],
  args,
});

/** Every subset of the axes of `shape`. */
function allAxes(shape: Shape, more: Partial<InputSpec> = {}): OpSample<Args>[] {
  return Array.from({ length: 2 ** shape.length }, (_, bits) => {
    const axes = shape.flatMap((_, axis) => ((bits >> axis) & 1 ? [axis] : []));
    const note = `over [${axes.join(", ")}]`;
    return { note, ...shaped(shape, { axes, keepDims: bits % 3 === 0 }, more) };
  });
}

/** Rows and columns on both sides of every boundary of `reduce-kernels.ts`. */
function boundaries(more: Partial<InputSpec> = {}): OpSample<Args>[] {
  return [
    shaped([], {}, more),
    shaped([1], { axes: 0 }, more),
    shaped([3], {}, more),
    shaped([4], {}, more),
    shaped([5], { axes: -1, keepDims: true }, more),
    ...[255, 256, 257, 511, 515].map((length) => shaped([length], {}, more)),
    ...[255, 256, 257, 260].map((length) => shaped([3, length], { axes: 1 }, more)),
    ...[15, 16, 17, 31, 33].map((length) => shaped([length, 8], { axes: 0 }, more)),
    ...[15, 16, 17, 64, 67].map((length) => shaped([length, 6], { axes: 0 }, more)),
    ...[1, 3, 63, 65].map((inner) => shaped([70, inner], { axes: 0 }, more)),
    shaped([2, 37, 12], { axes: 1 }, more),
    shaped([2, 37, 5], { axes: 1 }, more),
    shaped([65, 1, 3], { axes: [0, 1] }, more),
    shaped([8, 7, 7, 16], { axes: [0, 1, 2] }, more),
    shaped([1, 1, 1, 1], { axes: [1, 2] }, more),
    shaped([2, 0, 3], { axes: 0 }, more),
  ];
}

const noGradient = <A>(samples: readonly OpSample<A>[]): OpSample<A>[] =>
  samples.map((sample) => ({ ...sample, gradient: false }));

/** Several passes, and lengths at which one running f32 sum would have lost digits. */
function long(more: Partial<InputSpec> = {}): OpSample<Args>[] {
  return noGradient([
    shaped([200_001], {}, more),
    shaped([3, 70_000], { axes: 1 }, more),
    shaped([3, 70_001], { axes: -1 }, more),
    shaped([40_000, 3], { axes: 0 }, more),
    shaped([30_000, 10], { axes: 0 }, more),
    shaped([2, 17_000, 12], { axes: 1 }, more),
    shaped([2050, 130], { axes: 0 }, more),
    // On both sides of a row that is one invocation's work on a software adapter, and of where its workgroups widen.
    ...[4096, 4097, 4100].map((length) => shaped([3, length], { axes: 1 }, more)),
    ...[1023, 1025].map((rows) => shaped([rows, 20], { axes: 1 }, more)),
    shaped([1200, 300], { axes: 1 }, more),
    shaped([64, 14, 14, 20], { axes: [0, 1, 2] }, more),
  ]);
}

const integers: OpSample<Args>[] = [
  shaped([3, 300], { axes: 1 }, { dtype: "i32", range: [-9, 9] }),
  shaped([300, 5], { axes: 0 }, { dtype: "u32" }),
  shaped([2, 0], { axes: 1 }, { dtype: "i32" }),
];

const half = (sample: OpSample<Args>): OpSample<Args> => ({
  ...sample,
  inputs: sample.inputs.map((input) => ({ ...input, dtype: "f16" })),
  tolerance: 2e-3,
  feature: "shader-f16",
});

function wrongAxes(run: (x: Tensor, axes: number | readonly number[]) => unknown): OpError[] {
  return [
    { what: "an axis that does not exist", run: () => run(tensor([[1, 2]]), 2) },
    { what: "an axis named twice", run: () => run(tensor([[1, 2]]), [1, -1]) },
    { what: "an axis that is no whole number", run: () => run(tensor([[1, 2]]), 0.5) },
    { what: "an axis of a scalar", run: () => run(tensor(1), 0) },
  ];
}

export const sumCase = opCase<Args>({
  ops: ["sum"],
  title: "sum",
  run: ([x], { axes, ...options }) => sum(x as Tensor, axes, options),
  reference: ([x], args) => reference(x as HostTensor, args, add),
  samples: [
    ...boundaries(),
    ...allAxes([3, 4, 5, 6]),
    ...allAxes([2, 1, 3, 8]),
    ...long({ range: [0.5, 1.5] }),
    ...long(),
    ...integers,
    shaped([0], {}),
    shaped([0, 3], { axes: 0 }),
    shaped([2, 0, 3], { axes: [1], keepDims: true }),
    half(shaped([3, 300], { axes: 1 })),
    half(shaped([70, 12], { axes: 0 })),
    {
      note: "NaN and infinity",
      ...shaped([5], {}, { values: [1, NaN, 2, Infinity, 3] }),
      gradient: false,
    },
    {
      note: "infinity",
      ...shaped([2, 3], { axes: 1 }, { values: [1, -Infinity, 2, Infinity, -Infinity, 0] }),
      gradient: false,
    },
  ],
  errors: wrongAxes((x, axes) => sum(x, axes)),
});

interface SumToArgs {
  readonly shape: Shape;
}

export const sumToCase = opCase<SumToArgs>({
  ops: ["sum"],
  title: "sumTo",
  run: ([x], { shape }) => sumTo(x as Tensor, shape),
  reference: ([x], { shape }) => {
    const { shape: from } = x as HostTensor;
    const lead = from.length - shape.length;
    const axes = from.flatMap((_, axis) => (axis < lead || shape[axis - lead] === 1 ? [axis] : []));
    return { ...reference(x as HostTensor, { axes }, add), shape };
  },
  samples: [
    { inputs: [{ shape: [2, 3] }], args: { shape: [2, 3] } },
    { inputs: [{ shape: [2, 3] }], args: { shape: [3] } },
    { inputs: [{ shape: [2, 3] }], args: { shape: [] } },
    { inputs: [{ shape: [2, 3, 4] }], args: { shape: [3, 1] } },
    { inputs: [{ shape: [2, 3, 4] }], args: { shape: [1, 1, 4] } },
    { inputs: [{ shape: [2, 1, 4] }], args: { shape: [2, 1, 1] } },
    { inputs: [{ shape: [4, 3, 3, 8] }], args: { shape: [8] } },
    { inputs: [{ shape: [0, 3] }], args: { shape: [1, 3] } },
    { inputs: [{ shape: [1] }], args: { shape: [] } },
  ],
  errors: [
    { what: "a shape that does not broadcast", run: () => sumTo(tensor([[1, 2, 3]]), [2]) },
    { what: "a shape with more axes", run: () => sumTo(tensor([1, 2, 3]), [1, 3]) },
  ],
});

export const meanCase = opCase<Args>({
  ops: ["mean"],
  title: "mean",
  run: ([x], { axes, ...options }) => mean(x as Tensor, axes, options),
  reference: ([x], args) => reference(x as HostTensor, args, average),
  samples: [
    ...boundaries(),
    ...allAxes([3, 2, 5, 4]),
    ...long({ range: [0.5, 1.5] }),
    shaped([0], {}),
    shaped([0, 3], { axes: 0, keepDims: true }),
    half(shaped([3, 300], { axes: 1 })),
  ],
  errors: [
    ...wrongAxes((x, axes) => mean(x, axes)),
    { what: "whole numbers", run: () => mean(tensor([1, 2], { dtype: "i32" })) },
  ],
});

/** Pairs: the central difference at a tie of two is the mean of both sides, which is the share of each. */
const ties = [2, 5, 5, 2, -3, -3, 1, 7, 0, 0, -1, -1];

const extremeSamples: OpSample<Args>[] = [
  ...boundaries({ apart }),
  ...allAxes([3, 2, 5, 4], { apart }),
  ...long(),
  ...integers.slice(0, 2),
  shaped([3, 300], { axes: 1 }, { dtype: "i32", range: [-9, -3] }),
  shaped([3, 300], { axes: 1 }, { dtype: "u32", range: [4_000_000_000, 4_000_000_100] }),
  half(shaped([3, 300], { axes: 1 })),
  half(shaped([70, 12], { axes: 0 })),
  { note: "ties", ...shaped([3, 4], { axes: 1 }, { values: ties }) },
  {
    note: "a NaN",
    ...shaped([2, 3], { axes: 1 }, { values: [1, NaN, 2, 4, 5, 6] }),
    gradient: false,
  },
  {
    note: "a NaN",
    ...shaped([3, 4], { axes: 0 }, { values: [1, 2, 3, 4, 5, NaN, 7, 8, 9, 10, 11, NaN] }),
    gradient: false,
  },
  {
    note: "NaN last",
    ...shaped([257], {}, { values: [...Array.from({ length: 256 }, (_, i) => i), NaN] }),
    gradient: false,
  },
  {
    note: "infinities",
    ...shaped(
      [2, 3],
      { axes: 1 },
      { values: [-Infinity, -Infinity, -Infinity, Infinity, Infinity, Infinity] },
    ),
    gradient: false,
  },
];

function emptyErrors(run: (x: Tensor, axes?: number) => unknown): OpError[] {
  return [
    { what: "an empty tensor", run: () => run(tensor([])) },
    { what: "an empty axis", run: () => run(tensor([], { shape: [2, 0] }), 1) },
  ];
}

export const maxCase = opCase<Args>({
  ops: ["max"],
  title: "max",
  run: ([x], { axes, ...options }) => max(x as Tensor, axes, options),
  reference: ([x], args) => reference(x as HostTensor, args, largest),
  samples: extremeSamples,
  errors: [...wrongAxes((x, axes) => max(x, axes)), ...emptyErrors((x, axes) => max(x, axes))],
});

export const minCase = opCase<Args>({
  ops: ["min"],
  title: "min",
  run: ([x], { axes, ...options }) => min(x as Tensor, axes, options),
  reference: ([x], args) => reference(x as HostTensor, args, smallest),
  samples: extremeSamples,
  errors: [...wrongAxes((x, axes) => min(x, axes)), ...emptyErrors((x, axes) => min(x, axes))],
});

export const prodCase = opCase<Args>({
  ops: ["prod"],
  title: "prod",
  run: ([x], { axes, ...options }) => prod(x as Tensor, axes, options),
  reference: ([x], args) => reference(x as HostTensor, args, multiply),
  samples: [
    ...boundaries({ range: [0.9, 1.1] }),
    ...allAxes([3, 2, 5, 4], { range: [0.9, 1.2] }),
    ...long({ range: [0.999, 1.001] }).map((sample) => ({ ...sample, tolerance: 1e-3 })),
    shaped([3, 7], { axes: 1 }, { dtype: "i32", range: [-3, 3] }),
    shaped([4, 5], { axes: 0 }, { dtype: "u32", range: [1, 9] }),
    shaped([0], {}),
    shaped([0, 3], { axes: 0 }),
    half(shaped([3, 30], { axes: 1 }, { range: [0.9, 1.1] })),
    {
      note: "no, one, two and only zeros",
      ...shaped([4, 3], { axes: 1 }, { values: [2, -3, 4, 2, 0, 4, 0, -3, 0, 0, 0, 0] }),
    },
    {
      note: "zeros down the columns",
      ...shaped([3, 4], { axes: 0 }, { values: [0, 1, 2, 0, 5, 0, 2, 0, 7, 0, 3, 1] }),
    },
    {
      note: "zeros over axes apart",
      ...shaped([2, 2, 2], { axes: [0, 2] }, { values: [0, 1, 2, 3, 4, 5, 6, 0] }),
    },
    { note: "a single zero", ...shaped([1], {}, { values: [0] }) },
  ],
  errors: wrongAxes((x, axes) => prod(x, axes)),
});

interface VarianceArgs extends Args {
  readonly correction?: number;
}

/** `torch.var`: degrees of freedom stop at 0. */
function varianceOf(elements: readonly number[], correction: number): number {
  const center = average(elements);
  const squares = add(elements.map((value) => (value - center) ** 2));
  return squares / Math.max(0, elements.length - correction);
}

export const varianceCase = opCase<VarianceArgs>({
  ops: ["variance"],
  title: "variance",
  run: ([x], { axes, ...options }) => variance(x as Tensor, axes, options),
  reference: ([x], args) =>
    reference(x as HostTensor, args, (elements) => varianceOf(elements, args.correction ?? 1)),
  samples: [
    ...boundaries(),
    ...allAxes([3, 2, 5, 4]).map((sample) => ({
      ...sample,
      args: { ...sample.args, correction: 0 },
    })),
    ...long({ range: [-1, 2] }),
    { inputs: [{ shape: [4, 50] }], args: { axes: 1, correction: 0.5 } },
    { inputs: [{ shape: [2, 3] }], args: { axes: 1, correction: 3 }, gradient: false },
    {
      note: "far from 0",
      inputs: [{ shape: [3, 500], range: [9998.2, 10001.8] }],
      args: { axes: 1 },
      tolerance: 1e-5,
    },
    {
      note: "far from 0",
      inputs: [{ shape: [20_000, 6], range: [9998.2, 10001.8] }],
      args: { axes: 0 },
      gradient: false,
    },
    { note: "all equal", inputs: [{ shape: [100], range: [1e4, 1e4] }], args: {} },
    { note: "one element", inputs: [{ shape: [1] }], args: { correction: 0 } },
    { note: "nothing", inputs: [{ shape: [0, 2] }], args: { axes: 0 } },
    { ...half(shaped([3, 300], { axes: 1 })), args: { axes: 1 } },
  ],
  errors: [
    ...wrongAxes((x, axes) => variance(x, axes)),
    { what: "whole numbers", run: () => variance(tensor([1, 2], { dtype: "u32" })) },
    { what: "a negative correction", run: () => variance(tensor([1, 2]), 0, { correction: -1 }) },
    { what: "a correction of NaN", run: () => variance(tensor([1, 2]), 0, { correction: NaN }) },
  ],
});
