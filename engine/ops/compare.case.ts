/** @file What comparisons and the choice by a mask mean. */
import { hostAtBroadcast, hostFrom, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpCase } from "../op-case.ts";
import { broadcastShapes } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { equal, greater, greaterEqual, less, lessEqual, notEqual, where } from "./compare.ts";
import { ones, zeros } from "./create.ts";

const specials = [NaN, Infinity, -Infinity, 0, -0, 2, -3];
const pairs = specials.flatMap((a) => specials.map((b) => [a, b] as const));

const inputPairs: readonly (readonly [InputSpec, InputSpec])[] = [
  [{ shape: [] }, { shape: [] }],
  [{ shape: [65] }, { shape: [65] }],
  [{ shape: [3, 1] }, { shape: [1, 4] }],
  [{ shape: [2, 1, 2, 1, 2, 1, 2, 1] }, { shape: [1, 3, 1, 2, 1, 2, 1, 2] }],
  [{ shape: [0, 3] }, { shape: [3] }],
  [
    { shape: [pairs.length], values: pairs.map(([a]) => a) },
    { shape: [pairs.length], values: pairs.map(([, b]) => b) },
  ],
  [
    { shape: [40], dtype: "i32", range: [-2, 2] },
    { shape: [40], dtype: "i32", range: [-2, 2] },
  ],
  // As i32 these bits would be NaN or negative.
  [
    { shape: [4], dtype: "u32", values: [0x7fc00001, 4294967295, 0, 2147483648] },
    { shape: [4], dtype: "u32", values: [0x7fc00001, 1, 4294967295, 2147483648] },
  ],
];

function compareCase(
  op: string,
  run: (a: Tensor | number, b: Tensor | number) => Tensor,
  f: (a: number, b: number) => boolean,
): OpCase<undefined> {
  return opCase({
    ops: [op],
    title: op,
    run: ([a = zeros([]), b = zeros([])]) => run(a, b),
    reference: ([a, b]) => {
      if (a === undefined || b === undefined) throw new Error("two operands");
      const shape = broadcastShapes(op, a.shape, b.shape);
      return hostFrom(shape, (index) =>
        Number(f(hostAtBroadcast(a, index), hostAtBroadcast(b, index))),
      );
    },
    samples: [
      ...inputPairs.map((inputs) => ({ inputs, args: undefined, gradient: false })),
      {
        note: "half precision",
        feature: "shader-f16",
        inputs: [
          { shape: [pairs.length], dtype: "f16", values: pairs.map(([a]) => a) },
          { shape: [pairs.length], dtype: "f16", values: pairs.map(([, b]) => b) },
        ],
        args: undefined,
        gradient: false,
      },
    ],
    errors: [
      { what: "shapes that do not broadcast", run: () => run(ones([2]), ones([3])) },
      { what: "different types", run: () => run(ones([2]), ones([2], { dtype: "u32" })) },
      {
        what: "a number that the type cannot hold",
        run: () => run(ones([2], { dtype: "u32" }), -1),
      },
    ],
  });
}

/** More than 65,535 workgroups of 64: the grid spills from x into y. */
const spilling = 65535 * 64 + 1;

export const compareCases: readonly OpCase<undefined>[] = [
  compareCase("equal", equal, (a, b) => a === b),
  compareCase("notEqual", notEqual, (a, b) => a !== b),
  compareCase("less", less, (a, b) => a < b),
  compareCase("lessEqual", lessEqual, (a, b) => a <= b),
  compareCase("greater", greater, (a, b) => a > b),
  compareCase("greaterEqual", greaterEqual, (a, b) => a >= b),
  opCase({
    ops: ["greater"],
    title: "greater of more elements than one row of the grid has",
    run: ([a = zeros([])]) => greater(a, 0.25),
    reference: ([a]) => ({
      shape: a?.shape ?? [],
      data: (a?.data ?? new Float64Array()).map((value) => Number(value > 0.25)),
    }),
    samples: [{ inputs: [{ shape: [spilling] }], args: undefined, gradient: false }],
  }),
];

function whereReference(condition: HostTensor, a: HostTensor, b: HostTensor): HostTensor {
  const shape = broadcastShapes(
    "where",
    condition.shape,
    broadcastShapes("where", a.shape, b.shape),
  );
  return hostFrom(shape, (index) =>
    hostAtBroadcast(hostAtBroadcast(condition, index) === 0 ? b : a, index),
  );
}

const mask = (shape: readonly number[]): InputSpec => ({ shape, dtype: "u32", range: [0, 2] });

export const whereCases: readonly OpCase<undefined>[] = [
  opCase({
    ops: ["where"],
    title: "where",
    run: ([condition = zeros([]), a = zeros([]), b = zeros([])]) => where(condition, a, b),
    reference: ([condition, a, b]) => {
      if (condition === undefined || a === undefined || b === undefined)
        throw new Error("three operands");
      return whereReference(condition, a, b);
    },
    samples: [
      { inputs: [mask([]), { shape: [] }, { shape: [] }], args: undefined },
      { inputs: [mask([65]), { shape: [65] }, { shape: [65] }], args: undefined },
      { inputs: [mask([2, 1]), { shape: [3] }, { shape: [4, 1, 1] }], args: undefined },
      { inputs: [mask([0, 2]), { shape: [2] }, { shape: [1, 1] }], args: undefined },
      {
        inputs: [
          mask([1, 2, 1, 2, 1, 2, 1, 2]),
          { shape: [3, 1, 1, 1, 1, 1, 2, 1] },
          { shape: [] },
        ],
        args: undefined,
      },
      {
        inputs: [mask([3, 4]), { shape: [4], dtype: "i32" }, { shape: [3, 1], dtype: "i32" }],
        args: undefined,
      },
      {
        feature: "shader-f16",
        inputs: [mask([3, 5]), { shape: [5], dtype: "f16" }, { shape: [3, 1], dtype: "f16" }],
        args: undefined,
      },
      {
        note: "the one not chosen does not matter",
        inputs: [
          { shape: [4], dtype: "u32", values: [0, 1, 0, 4294967295] },
          { shape: [4], values: [NaN, NaN, Infinity, 1] },
          { shape: [4], values: [1, 2, 3, NaN] },
        ],
        args: undefined,
        gradient: false,
      },
    ],
    errors: [
      { what: "a mask of f32", run: () => where(ones([2]), ones([2]), ones([2])) },
      {
        what: "shapes that do not broadcast",
        run: () => where(ones([2], { dtype: "u32" }), ones([3]), 0),
      },
      { what: "two plain numbers", run: () => where(ones([2], { dtype: "u32" }), 1, 0) },
    ],
  }),
  opCase({
    ops: ["where"],
    title: "where with a number",
    run: ([condition = zeros([]), a = zeros([])]) => where(condition, a, -1),
    reference: ([condition, a]) => {
      if (condition === undefined || a === undefined) throw new Error("two operands");
      return whereReference(condition, a, { shape: [], data: Float64Array.of(-1) });
    },
    samples: [{ inputs: [mask([3, 4]), { shape: [4] }], args: undefined }],
  }),
];
