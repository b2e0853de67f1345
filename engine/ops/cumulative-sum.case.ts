/** @file Cases of cumulativeSum. */
import { hostAt, hostFrom, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpSample } from "../op-case.ts";
import { normalizeAxis, type Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { cumulativeSum } from "./cumulative-sum.ts";

interface Args {
  readonly axis: number;
}

const sample = (shape: Shape, axis: number, more: Partial<InputSpec> = {}): OpSample<Args> => ({
  inputs: [{ shape, ...more }],
  args: { axis },
});

export const cumulativeSumCase = opCase<Args>({
  ops: ["cumulativeSum"],
  title: "cumulativeSum",
  run: ([x], { axis }) => cumulativeSum(x as Tensor, axis),
  reference: ([input], { axis }) => {
    const x = input as HostTensor;
    const along = normalizeAxis("reference", axis, x.shape.length);
    const totals = new Map<string, number>();
    // Row-major order visits the elements of each column in order.
    return hostFrom(x.shape, (index) => {
      const column = index.toSpliced(along, 1).join();
      const total = (totals.get(column) ?? 0) + hostAt(x, index);
      totals.set(column, total);
      return total;
    });
  },
  samples: [
    sample([1], 0),
    sample([5], -1),
    ...[31, 32, 63, 64, 65, 100].map((length) => sample([length], 0)),
    sample([3, 4, 5], 0),
    sample([3, 4, 5], 1),
    sample([3, 4, 5], 2),
    sample([2, 100, 3], 1),
    sample([0], 0),
    sample([2, 0, 3], 1),
    sample([2, 0, 3], 0),
    { ...sample([120_001], 0, { range: [0, 1] }), gradient: false },
    { ...sample([1500, 1100], 0, { range: [0, 1] }), gradient: false },
    { ...sample([2, 2049, 3], 1, { range: [0, 1] }), gradient: false },
    sample([3, 70], 1, { dtype: "i32", range: [-9, 9] }),
    sample([70, 3], 0, { dtype: "u32" }),
    { ...sample([3, 70], 1, { dtype: "f16" }), feature: "shader-f16", tolerance: 2e-3 },
    { note: "NaN", ...sample([2, 3], 1, { values: [1, NaN, 2, 4, 5, Infinity] }), gradient: false },
  ],
  errors: [
    { what: "an axis that does not exist", run: () => cumulativeSum(tensor([[1, 2]]), 2) },
    { what: "a scalar", run: () => cumulativeSum(tensor(1), 0) },
  ],
});
