/** @file Cases of softmax and logSoftmax. */
import { hostAt, hostFrom, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpError, type OpSample } from "../op-case.ts";
import { normalizeAxis, type Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { logSoftmax, softmax } from "./softmax.ts";

interface Args {
  readonly axis?: number;
}

/** `x - max - log(sum of e^(x - max))` along the axis, then `finish`. */
function reference(
  x: HostTensor,
  { axis = -1 }: Args,
  finish: (log: number) => number,
): HostTensor {
  const along = normalizeAxis("reference", axis, x.shape.length);
  const logTotals = new Map<string, number>();
  const logTotalOf = (index: readonly number[]): number => {
    const key = index.toSpliced(along, 1).join();
    let logTotal = logTotals.get(key);
    if (logTotal === undefined) {
      const row = Array.from({ length: x.shape[along] ?? 0 }, (_, r) =>
        hostAt(x, index.with(along, r)),
      );
      const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
      logTotal =
        largest + Math.log(row.reduce((total, value) => total + Math.exp(value - largest), 0));
      logTotals.set(key, logTotal);
    }
    return logTotal;
  };
  return hostFrom(x.shape, (index) => finish(hostAt(x, index) - logTotalOf([...index])));
}

const sample = (shape: Shape, args: Args = {}, more: Partial<InputSpec> = {}): OpSample<Args> => ({
  inputs: [{ shape, range: [-4, 4], ...more }],
  args,
});

const infinity = Infinity;

const samples: OpSample<Args>[] = [
  sample([1]),
  sample([10]),
  sample([65, 10]),
  sample([3, 4, 5], { axis: 0 }),
  sample([3, 4, 5], { axis: 1 }),
  sample([3, 4, 5], { axis: 2 }),
  ...[127, 128, 129, 191, 192, 1000].map((length) => sample([3, length])),
  // Up to 16 vectors of 1 or of 4 are held in registers.
  ...[15, 16, 17, 64, 68].map((length) => sample([3, length])),
  sample([2, 130, 3], { axis: 1 }),
  // Vectors across 4 rows.
  sample([2, 16, 8], { axis: 1 }),
  sample([2, 17, 4], { axis: 1 }),
  sample([2, 130, 4], { axis: 1 }),
  // On both sides of so few rows that a team makes each.
  ...[15, 16].flatMap((rows) => [sample([rows, 130]), sample([rows, 132])]),
  ...[1023, 1025].map((rows) => ({ ...sample([rows, 3]), gradient: false })),
  sample([2, 1, 3], { axis: 1 }),
  sample([0, 3]),
  sample([3, 0]),
  { ...sample([300, 40]), gradient: false },
  { ...sample([5, 4099]), gradient: false },
  {
    note: "large values",
    ...sample([2, 4], {}, { values: [1000, 1001, 999, 1000, -1000, -1001, -999, -1000] }),
  },
  { note: "far apart", ...sample([3], {}, { values: [-200, 0, 200] }) },
  {
    note: "-infinity",
    ...sample([2, 4], {}, { values: [0, -infinity, 1, 2, -infinity, 3, -infinity, 0] }),
    gradient: false,
  },
  {
    note: "nothing but -infinity",
    ...sample([2, 3], {}, { values: [-infinity, -infinity, -infinity, 1, 2, 3] }),
    gradient: false,
  },
  {
    note: "infinity",
    ...sample([2, 3], {}, { values: [infinity, 1, 2, 1, 2, 3] }),
    gradient: false,
  },
  { note: "NaN", ...sample([2, 3], {}, { values: [1, NaN, 2, 1, 2, 3] }), gradient: false },
  {
    note: "NaN in a long row",
    ...sample(
      [200],
      {},
      { values: Array.from({ length: 200 }, (_, i) => (i === 130 ? NaN : i / 100)) },
    ),
    gradient: false,
  },
  ...[20, 21, 132].map((length) => ({
    ...sample([3, length], {}, { dtype: "f16" }),
    feature: "shader-f16" as const,
    tolerance: 2e-3,
  })),
];

function errors(run: (x: Tensor, axis?: number) => unknown): OpError[] {
  return [
    { what: "an axis that does not exist", run: () => run(tensor([[1, 2]]), 2) },
    { what: "a scalar", run: () => run(tensor(1)) },
    { what: "whole numbers", run: () => run(tensor([1, 2], { dtype: "i32" })) },
  ];
}

export const softmaxCase = opCase<Args>({
  ops: ["softmax"],
  title: "softmax",
  run: ([x], { axis }) => softmax(x as Tensor, axis),
  reference: ([x], args) => reference(x as HostTensor, args, Math.exp),
  samples,
  errors: errors(softmax),
});

export const logSoftmaxCase = opCase<Args>({
  ops: ["logSoftmax"],
  title: "logSoftmax",
  run: ([x], { axis }) => logSoftmax(x as Tensor, axis),
  reference: ([x], args) => reference(x as HostTensor, args, (log) => log),
  samples,
  errors: errors(logSoftmax),
});
