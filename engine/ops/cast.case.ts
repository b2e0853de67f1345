/** @file What conversion between element types means, at the ends of their ranges. */
import { float32ToHalfBits, halfBitsToFloat32, type DType } from "../dtype.ts";
import { opCase, type OpSample } from "../op-case.ts";
import { cast } from "./cast.ts";
import { zeros } from "./create.ts";

interface Conversion {
  readonly from: DType;
  readonly to: DType;
}

/** The last whole number that both types hold, as WGSL has it. */
const largest = {
  i32: { f32: 2 ** 31 - 128, f16: 65504 },
  u32: { f32: 2 ** 32 - 256, f16: 65504 },
};

/** Reals are cut towards 0 and saturate; whole numbers keep their 32 bits; what becomes real is rounded to nearest even. */
function convert(value: number, { from, to }: Conversion): number {
  if (to === "f32") return Math.fround(value);
  if (to === "f16") return halfBitsToFloat32(float32ToHalfBits(value));
  if (from === "i32" || from === "u32") return to === "i32" ? value | 0 : value >>> 0;
  const high = largest[to][from];
  const low = to === "u32" ? 0 : from === "f32" ? -(2 ** 31) : -high;
  return Number.isNaN(value) ? 0 : Math.min(high, Math.max(low, Math.trunc(value)));
}

const realNumbers = [0, -0, 0.5, -0.5, 0.999, -1.5, 2.5, 100.25, -7, NaN];
const largeReals = [
  ...realNumbers,
  3e9,
  -3e9,
  5e9,
  -5e9,
  1e30,
  -1e30,
  Infinity,
  -Infinity,
  16777217,
];

function sample(from: DType, to: DType, values: readonly number[]): OpSample<Conversion> {
  const needsHalf = from === "f16" || to === "f16";
  return {
    note: `to ${to}`,
    inputs: [{ shape: [values.length], dtype: from, values }],
    args: { from, to },
    gradient: false,
    tolerance: 0,
    ...(needsHalf ? { feature: "shader-f16" } : {}),
  };
}

export const castCase = opCase<Conversion>({
  ops: ["cast"],
  title: "cast",
  run: ([x = zeros([])], { to }) => cast(x, to),
  reference: ([x], args) => ({
    shape: x?.shape ?? [],
    data: Float64Array.from(x?.data ?? [], (value) => convert(value, args)),
  }),
  samples: [
    sample("f32", "i32", largeReals),
    sample("f32", "u32", largeReals),
    sample("f32", "f32", largeReals),
    sample("i32", "f32", [0, -1, 5, 2147483647, -2147483648, 16777217]),
    sample("u32", "f32", [0, 5, 4294967295, 16777217, 16777219]),
    sample("i32", "u32", [0, -1, 2147483647, -2147483648]),
    sample("u32", "i32", [0, 1, 3000000000, 4294967295]),
    sample("f32", "f16", [...realNumbers, 65504, 1e-7, 6e-8, 0.1, 2049, 2051, Infinity, -Infinity]),
    sample("f16", "f32", [...realNumbers, 65504, 6e-8, Infinity, -Infinity]),
    sample("f16", "i32", [...realNumbers, 65504, -65504, Infinity, -Infinity]),
    sample("f16", "u32", [...realNumbers, 65504, -65504, Infinity, -Infinity]),
    sample("i32", "f16", [0, -1, 2049, 2051, -30000]),
    sample("u32", "f16", [0, 1, 2049, 2051, 60000]),
    {
      note: "to i32",
      inputs: [{ shape: [] }],
      args: { from: "f32", to: "i32" },
      gradient: false,
    },
    {
      note: "to u32",
      inputs: [{ shape: [2, 0] }],
      args: { from: "f32", to: "u32" },
      gradient: false,
    },
    {
      note: "to i32",
      inputs: [{ shape: [1, 65] }],
      args: { from: "f32", to: "i32" },
      gradient: false,
    },
  ],
});

/** Halves hold these exactly, so that the reference is the identity. */
const quarters = Array.from({ length: 67 }, (_, i) => (i - 30) / 4);

export const castRoundTripCase = opCase({
  ops: ["cast"],
  title: "cast to half precision and back",
  run: ([x = zeros([])]) => cast(cast(x, "f16"), "f32"),
  reference: ([x]) => x ?? { shape: [], data: new Float64Array() },
  samples: [
    {
      feature: "shader-f16",
      inputs: [{ shape: [quarters.length], values: quarters }],
      args: undefined,
      gradientTolerance: 1e-3,
    },
  ],
});
