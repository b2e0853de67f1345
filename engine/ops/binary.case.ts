/** @file What the functions of two numbers mean, at every way in which two shapes can meet. */
import { hostAtBroadcast, hostFrom } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpCase, type OpError, type OpSample } from "../op-case.ts";
import { broadcastShapes, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import * as binary from "./binary.ts";
import { ones, zeros } from "./create.ts";

type Operand = Tensor | number;

interface BinaryCase {
  readonly run: (a: Operand, b: Operand) => Tensor;
  /** The definition. */
  readonly f: (a: number, b: number) => number;
  /** The definition for whole numbers. Default: f. */
  readonly whole?: (a: number, b: number) => number;
  readonly ranges?: readonly [readonly [number, number], readonly [number, number]];
  /** Pairs besides those of `everywhere`. */
  readonly special?: readonly (readonly [number, number])[];
  readonly tolerance?: number;
  readonly errors?: readonly OpError[];
}

/** Equal shapes, one repeated along leading axes, and all other broadcasts take different kernels. */
const shapePairs: readonly (readonly [Shape, Shape])[] = [
  [[], []],
  [[1], [1]],
  [
    [3, 5],
    [3, 5],
  ],
  [[1024], [1024]],
  [[1025], [1025]],
  [[6, 7], [7]],
  [[6, 8], [8]],
  [
    [6, 8],
    [1, 8],
  ],
  [[2, 3, 5], []],
  [[129, 8], [8]],
  [[7], [6, 7]],
  [
    [3, 1],
    [1, 4],
  ],
  [
    [4, 1, 3],
    [5, 1],
  ],
  [[], [2, 3]],
  [
    [257, 1],
    [257, 1],
  ],
  [[1], [0]],
  [[0, 3], [3]],
  [
    [2, 1, 0],
    [3, 1],
  ],
  [
    [2, 1, 2, 1, 2, 1, 2, 1],
    [1, 3, 1, 2, 1, 2, 1, 2],
  ],
];

const specials = [NaN, Infinity, -Infinity, 0, -0, 2, -3];
const everywhere = specials.flatMap((a) => specials.map((b) => [a, b] as const));

function binaryCase(op: string, definition: BinaryCase): OpCase<undefined> {
  const {
    run,
    f,
    special = [],
    tolerance = 1e-5,
    ranges = [
      [-2, 2],
      [-2, 2],
    ],
  } = definition;
  const sample = (a: InputSpec, b: InputSpec, note?: string): OpSample<undefined> => ({
    inputs: [
      { range: ranges[0], ...a },
      { range: ranges[1], ...b },
    ],
    args: undefined,
    tolerance,
    ...(note === undefined ? {} : { note }),
  });
  const pairs = [...everywhere, ...special];
  const halves = sample(
    { shape: [3, 70], dtype: "f16" },
    { shape: [70], dtype: "f16" },
    "half precision",
  );
  return opCase({
    ops: [op],
    title: op,
    run: ([a = zeros([]), b = zeros([])]) => run(a, b),
    reference: ([a, b]) => {
      if (a === undefined || b === undefined) throw new Error("two operands");
      return hostFrom(broadcastShapes(op, a.shape, b.shape), (index) =>
        f(hostAtBroadcast(a, index), hostAtBroadcast(b, index)),
      );
    },
    samples: [
      ...shapePairs.map(([a, b]) => sample({ shape: a }, { shape: b })),
      {
        ...sample(
          { shape: [pairs.length], values: pairs.map(([a]) => a) },
          { shape: [pairs.length], values: pairs.map(([, b]) => b) },
          "special values",
        ),
        gradient: false,
      },
      { ...halves, feature: "shader-f16", tolerance: 2e-3 },
    ],
    errors: [
      { what: "shapes that do not broadcast", run: () => run(ones([2, 3]), ones([2])) },
      { what: "different types", run: () => run(ones([2]), ones([2], { dtype: "i32" })) },
      { what: "two plain numbers", run: () => run(1, 2) },
      ...(definition.errors ?? []),
    ],
  });
}

/** The same for whole numbers, which take a kernel of their own. */
function wholeCase(op: string, { run, f, whole = f }: BinaryCase): OpCase<undefined> {
  const sample = (dtype: "i32" | "u32", a: InputSpec, b: InputSpec): OpSample<undefined> => ({
    inputs: [
      { range: dtype === "i32" ? [-9, 9] : [10, 30], ...a, dtype },
      { range: dtype === "i32" ? [-9, 9] : [0, 9], ...b, dtype },
    ],
    args: undefined,
  });
  return opCase({
    ops: [op],
    title: `${op} of whole numbers`,
    run: ([a = zeros([]), b = zeros([])]) => run(a, b),
    reference: ([a, b]) => {
      if (a === undefined || b === undefined) throw new Error("two operands");
      const shape = broadcastShapes(op, a.shape, b.shape);
      return hostFrom(shape, (index) =>
        whole(hostAtBroadcast(a, index), hostAtBroadcast(b, index)),
      );
    },
    samples: [
      sample("i32", { shape: [] }, { shape: [] }),
      sample("i32", { shape: [65] }, { shape: [65] }),
      sample("i32", { shape: [3, 1, 5] }, { shape: [4, 1] }),
      sample("i32", { shape: [0] }, { shape: [1] }),
      sample("u32", { shape: [5, 3] }, { shape: [3] }),
      sample("i32", { shape: [4], values: [7, -7, 7, -7] }, { shape: [4], values: [2, 2, -2, -2] }),
    ],
    errors: [{ what: "a fraction as operand", run: () => run(ones([2], { dtype: "i32" }), 0.5) }],
  });
}

/** As IEEE 754 has it; JavaScript's has NaN where a base of 1 or -1 meets NaN or infinity. */
function power(base: number, exponent: number): number {
  if (base === 1 || exponent === 0) return 1;
  if (base === -1 && Math.abs(exponent) === Infinity) return 1;
  return base ** exponent;
}

const add: BinaryCase = { run: binary.add, f: (a, b) => a + b };
const sub: BinaryCase = { run: binary.sub, f: (a, b) => a - b };
const mul: BinaryCase = { run: binary.mul, f: (a, b) => a * b };
const div: BinaryCase = {
  run: binary.div,
  f: (a, b) => a / b,
  // Division by 0 gives the dividend, as WGSL has it.
  whole: (a, b) => (b === 0 ? a : Math.trunc(a / b)),
  ranges: [
    [-2, 2],
    [0.5, 3],
  ],
};
const maximum: BinaryCase = { run: binary.maximum, f: Math.max };
const minimum: BinaryCase = { run: binary.minimum, f: Math.min };

/** `run` with a plain number on the right. */
function withNumber(op: string, { run, f }: BinaryCase, b: number): OpCase<undefined> {
  return opCase({
    ops: [op],
    title: `${op} with the number ${b}`,
    run: ([a = zeros([])]) => run(a, b),
    reference: ([a]) => ({
      shape: a?.shape ?? [],
      data: Float64Array.from(a?.data ?? [], (value) => f(value, b)),
    }),
    samples: [{ inputs: [{ shape: [3, 5] }], args: undefined }],
  });
}

export const binaryCases: readonly OpCase<undefined>[] = [
  binaryCase("add", add),
  binaryCase("sub", sub),
  binaryCase("mul", mul),
  binaryCase("div", div),
  binaryCase("maximum", maximum),
  binaryCase("minimum", minimum),
  binaryCase("pow", {
    run: binary.pow,
    f: power,
    ranges: [
      [0.3, 2],
      [-2, 2],
    ],
    special: [
      [-1, 5],
      [-1, 0.5],
      [1, NaN],
      [-8, 1 / 3],
      [0.5, Infinity],
      [-0.5, -Infinity],
      [-1, Infinity],
      [-2, 9],
    ],
    tolerance: 3e-5,
    errors: [{ what: "whole numbers", run: () => binary.pow(ones([2], { dtype: "i32" }), 2) }],
  }),
  wholeCase("add", add),
  wholeCase("sub", { ...sub, f: (a, b) => a - b }),
  wholeCase("mul", mul),
  wholeCase("div", div),
  wholeCase("maximum", maximum),
  wholeCase("minimum", minimum),
  withNumber("add", add, 1.5),
  withNumber("mul", mul, -0.5),
  withNumber("pow", { run: binary.pow, f: power }, 2),
  withNumber("pow", { run: binary.pow, f: power }, 3),
  opCase({
    ops: ["maximum", "minimum"],
    title: "maximum and minimum of equal numbers",
    run: ([a = zeros([]), b = zeros([])]) =>
      binary.sub(binary.maximum(a, b), binary.mul(binary.minimum(a, b), 3)),
    reference: ([a, b]) => ({
      shape: [3],
      data: Float64Array.from(a?.data ?? [], (value, i) => {
        const other = b?.data[i] ?? NaN;
        return Math.max(value, other) - 3 * Math.min(value, other);
      }),
    }),
    samples: [
      {
        note: "ties share the gradient",
        inputs: [
          { shape: [3], values: [1, 2, -3] },
          { shape: [3], values: [1, 1, -3] },
        ],
        args: undefined,
      },
    ],
  }),
];
