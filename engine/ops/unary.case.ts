/** @file What the functions of one number mean, and the numbers that are likely to break them. */
import { opCase, type InputSpec, type OpCase, type OpError } from "../op-case.ts";
import type { Tensor } from "../tensor.ts";
import { ones, zeros } from "./create.ts";
import * as unary from "./unary.ts";

interface UnaryCase {
  readonly run: (x: Tensor) => Tensor;
  /** The definition. */
  readonly f: (x: number) => number;
  /** Where random inputs lie. Default: [-3, 3]. */
  readonly range?: readonly [number, number];
  /** More special values than those that every function gets. */
  readonly special?: readonly number[];
  readonly tolerance?: number;
  /** Samples in i32 too, for functions that take whole numbers. */
  readonly integers?: boolean;
  /** And in u32. Default: `integers`. */
  readonly unsigned?: boolean;
  readonly errors?: readonly OpError[];
}

/** One workgroup makes 1024 elements, one invocation 4: sizes on both sides of either. */
const shapes = [
  [],
  [1],
  [5],
  [3, 1, 7],
  [1024],
  [1025],
  [2, 0, 3],
  [1, 2, 1, 2, 1, 2, 1, 3],
] as const;

const everywhere = [NaN, Infinity, -Infinity, 0, -0];

function unaryCase(op: string, definition: UnaryCase, title = op): OpCase<undefined> {
  const {
    run,
    f,
    range = [-3, 3],
    special = [],
    tolerance = 1e-5,
    integers = false,
    unsigned = integers,
    errors = [],
  } = definition;
  const values = [...everywhere, ...special];
  const integerInputs: InputSpec[] = [
    { shape: [9], dtype: "i32", range: [-9, 9] },
    { shape: [1025], dtype: "i32", range: [-40_000, 40_000] },
    ...(unsigned ? [{ shape: [3], dtype: "u32", range: [0, 9] } as const] : []),
  ];
  return opCase({
    ops: [op],
    title,
    run: ([x = zeros([])]) => run(x),
    reference: ([x]) => ({ shape: x?.shape ?? [], data: Float64Array.from(x?.data ?? [], f) }),
    samples: [
      ...shapes.map((shape) => ({ inputs: [{ shape, range }], args: undefined, tolerance })),
      {
        note: "special values",
        inputs: [{ shape: [values.length], values }],
        args: undefined,
        gradient: false,
        tolerance,
      },
      {
        note: "half precision",
        feature: "shader-f16",
        inputs: [{ shape: [67], dtype: "f16", range }],
        args: undefined,
        tolerance: 1e-3,
      },
      ...(integers
        ? integerInputs.map((input) => ({
            note: "whole numbers",
            inputs: [input],
            args: undefined,
          }))
        : []),
    ],
    errors: [
      ...errors,
      ...(integers ? [] : [{ what: "whole numbers", run: () => run(ones([2], { dtype: "i32" })) }]),
    ],
  });
}

/**
 * The normal distribution function: 1/2 + phi(x) (x + x^3/3 + x^5/15 + ...).
 * Source: Marsaglia, Evaluating the normal distribution (Journal of Statistical Software 11, 2004).
 */
function normalCdf(x: number): number {
  if (Math.abs(x) > 8) return x > 0 ? 1 : 0;
  let sum = x;
  let term = x;
  for (let n = 3; Math.abs(term) > 1e-17; n += 2) {
    term *= (x * x) / n;
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

/** To the nearest whole number, halves to even. */
function roundToEven(x: number): number {
  const nearest = Math.round(x);
  return Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : nearest;
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** The limit of `x * weight` where the weight is exactly 0. */
function weigh(x: number, weight: number): number {
  return weight === 0 && x === -Infinity ? NaN : x * weight;
}

export const unaryCases: readonly OpCase<undefined>[] = [
  unaryCase("neg", {
    run: unary.neg,
    f: (x) => -x,
    special: [3e38, 1e-30],
    integers: true,
    unsigned: false,
  }),
  unaryCase("abs", { run: unary.abs, f: Math.abs, special: [-3e38, -1e-30], integers: true }),
  unaryCase("exp", { run: unary.exp, f: Math.exp, special: [-200, 88], tolerance: 2e-5 }),
  unaryCase("log", { run: unary.log, f: Math.log, range: [0.1, 4], special: [-1, 1, 3e38, 1e-30] }),
  unaryCase("sqrt", { run: unary.sqrt, f: Math.sqrt, range: [0.1, 4], special: [-1, 3e38, 1e-30] }),
  unaryCase("rsqrt", {
    run: unary.rsqrt,
    f: (x) => 1 / Math.sqrt(x),
    range: [0.2, 4],
    special: [-1, 3e38],
  }),
  unaryCase("square", {
    run: unary.square,
    f: (x) => x * x,
    special: [1e18, -1e18],
    integers: true,
  }),
  unaryCase("reciprocal", {
    run: unary.reciprocal,
    f: (x) => 1 / x,
    range: [0.2, 4],
    special: [-4, 1e30],
  }),
  unaryCase("sin", {
    run: unary.sin,
    f: Math.sin,
    special: [3.1415927, -1.5707964],
    tolerance: 1e-4,
  }),
  unaryCase("cos", {
    run: unary.cos,
    f: Math.cos,
    special: [3.1415927, -1.5707964],
    tolerance: 1e-4,
  }),
  unaryCase("tanh", {
    run: unary.tanh,
    f: Math.tanh,
    special: [-100, 100, 9.9, 1e-4],
    tolerance: 2e-5,
  }),
  unaryCase("sigmoid", { run: unary.sigmoid, f: sigmoid, special: [-200, 200, -80] }),
  unaryCase("relu", { run: unary.relu, f: (x) => (x <= 0 ? 0 : x), special: [-1, 1, 3e38, -3e38] }),
  unaryCase("gelu", {
    run: unary.gelu,
    f: (x) => weigh(x, normalCdf(x)),
    special: [-6, -12, 12],
    tolerance: 2e-5,
  }),
  unaryCase("silu", {
    run: unary.silu,
    f: (x) => weigh(x, sigmoid(x)),
    special: [-50, 50],
    tolerance: 2e-5,
  }),
  unaryCase("sign", { run: unary.sign, f: Math.sign, special: [-1e-30, 1e-30], integers: true }),
  unaryCase("floor", { run: unary.floor, f: Math.floor, special: [-0.5, 0.5, -2, 8388609, 1e30] }),
  unaryCase("round", {
    run: unary.round,
    f: roundToEven,
    special: [0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 8388609, 1e30],
  }),
  unaryCase("leakyRelu", {
    run: (x) => unary.leakyRelu(x, 0.2),
    f: (x) => (x < 0 ? 0.2 * x : x),
    special: [-1, 1],
    errors: [{ what: "a slope that is no number", run: () => unary.leakyRelu(ones([2]), NaN) }],
  }),
  unaryCase(
    "leakyRelu",
    { run: (x) => unary.leakyRelu(x), f: (x) => (x < 0 ? 0.01 * x : x) },
    "leakyRelu, default slope",
  ),
  unaryCase("elu", {
    run: (x) => unary.elu(x, 1.5),
    f: (x) => (x < 0 ? 1.5 * Math.expm1(x) : x),
    special: [-1e-4, -0.1, -100, 100],
    tolerance: 2e-5,
    errors: [{ what: "alpha 0", run: () => unary.elu(ones([2]), 0) }],
  }),
  unaryCase("softplus", {
    run: (x) => unary.softplus(x, 2),
    f: (x) => (x > 50 ? x : Math.log1p(Math.exp(2 * x)) / 2),
    special: [-60, 60, -8],
    tolerance: 2e-5,
    errors: [{ what: "a negative beta", run: () => unary.softplus(ones([2]), -1) }],
  }),
  unaryCase("clamp", {
    run: (x) => unary.clamp(x, -1, 2),
    f: (x) => (x < -1 ? -1 : x > 2 ? 2 : x),
    special: [-1, 2, -3e38, 3e38],
    integers: true,
    errors: [
      { what: "min above max", run: () => unary.clamp(ones([2]), 2, 1) },
      {
        what: "bounds without a whole number",
        run: () => unary.clamp(ones([2], { dtype: "i32" }), 0.2, 0.8),
      },
    ],
  }),
];
