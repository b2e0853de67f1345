/** @file What dropout means, by the host's own random numbers. */
import { opCase } from "../op-case.ts";
import { Generator } from "../philox.ts";
import { ones, zeros } from "./create.ts";
import { dropout } from "./dropout.ts";

interface DropoutArguments {
  readonly p: number;
  readonly seed: number;
  readonly training?: boolean;
}

export const dropoutCase = opCase<DropoutArguments>({
  ops: ["dropout"],
  title: "dropout",
  run: ([x = zeros([])], { p, seed, training = true }) =>
    dropout(x, p, { generator: new Generator(seed), training }),
  reference: ([x = { shape: [], data: new Float64Array() }], { p, seed, training = true }) => {
    if (!training) return x;
    const words = new Generator(seed).words(x.data.length);
    const isKept = (i: number): boolean => (words[i] ?? 0) / 2 ** 32 >= p;
    return { shape: x.shape, data: x.data.map((value, i) => (isKept(i) ? value / (1 - p) : 0)) };
  },
  samples: [
    { inputs: [{ shape: [] }], args: { p: 0.5, seed: 1 } },
    { inputs: [{ shape: [1] }], args: { p: 0.25, seed: 2 } },
    { inputs: [{ shape: [3, 7] }], args: { p: 0.5, seed: 3 } },
    { inputs: [{ shape: [257] }], args: { p: 0.1, seed: 2 ** 40 + 3 } },
    { inputs: [{ shape: [1025] }], args: { p: 0.9, seed: 5 } },
    { inputs: [{ shape: [2, 0] }], args: { p: 0.5, seed: 6 } },
    { note: "p = 0", inputs: [{ shape: [9] }], args: { p: 0, seed: 7 } },
    { note: "p = 1", inputs: [{ shape: [9] }], args: { p: 1, seed: 7 } },
    { note: "not training", inputs: [{ shape: [9] }], args: { p: 0.5, seed: 7, training: false } },
    {
      note: "half precision",
      feature: "shader-f16",
      inputs: [{ shape: [67], dtype: "f16" }],
      args: { p: 0.5, seed: 8 },
      tolerance: 1e-3,
    },
    {
      note: "NaN and infinity are dropped like any other",
      inputs: [{ shape: [4], values: [NaN, Infinity, -Infinity, NaN] }],
      args: { p: 0.5, seed: 9 },
      gradient: false,
    },
  ],
  errors: [
    { what: "a probability above 1", run: () => dropout(ones([2]), 1.5) },
    { what: "NaN", run: () => dropout(ones([2]), NaN) },
    { what: "whole numbers", run: () => dropout(ones([2], { dtype: "i32" }), 0.5) },
  ],
});
