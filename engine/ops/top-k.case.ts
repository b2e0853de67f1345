/** @file Cases of topK: its values and its indices. */
import { hostAt, hostFrom, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpSample } from "../op-case.ts";
import { normalizeAxis, type Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { topK, type TopKOptions } from "./top-k.ts";

interface Args extends TopKOptions {
  readonly k: number;
}

/** The host's stable sort along the axis, NaN as the largest; `pick` says what of the winner goes into the result. */
function reference(
  x: HostTensor,
  { k, axis = -1, largest = true }: Args,
  pick: (value: number, place: number) => number,
): HostTensor {
  const along = normalizeAxis("reference", axis, x.shape.length);
  const key = (value: number): number => (Number.isNaN(value) ? Infinity : value);
  const nanFirst = (a: number, b: number): number =>
    Number(Number.isNaN(b)) - Number(Number.isNaN(a));
  return hostFrom(x.shape.with(along, k), (index) => {
    const column = Array.from({ length: x.shape[along] ?? 0 }, (_, r) =>
      hostAt(x, index.with(along, r)),
    );
    const order = column.map((_, r) => r);
    const sign = largest ? 1 : -1;
    order.sort((i, j) => {
      const a = column[i] ?? NaN;
      const b = column[j] ?? NaN;
      const difference = key(a) === key(b) ? 0 : key(b) - key(a);
      return sign * (nanFirst(a, b) || difference) || i - j;
    });
    const place = order[index[along] ?? 0] ?? NaN;
    return pick(column[place] ?? NaN, place);
  });
}

const apart = 0.001;

const sample = (shape: Shape, args: Args, more: Partial<InputSpec> = {}): OpSample<Args> => ({
  inputs: [{ shape, apart, ...more }],
  args,
});

const samples: OpSample<Args>[] = [
  sample([1], { k: 1 }),
  sample([5], { k: 5, largest: false }),
  sample([5], { k: 0 }),
  sample([0], { k: 0 }),
  sample([3, 10], { k: 5 }),
  sample([65, 7], { k: 3 }),
  sample([7, 5], { k: 2, axis: 0 }),
  sample([2, 9, 3], { k: 4, axis: 1, largest: false }),
  sample([2, 0, 3], { k: 2 }),
  sample([3, 130], { k: 129, axis: 1 }),
  { note: "ranked", ...sample([600], { k: 500 }), gradient: false },
  { note: "ranked", ...sample([2, 520, 2], { k: 515, axis: 1, largest: false }), gradient: false },
  { note: "equal elements", ...sample([4, 30], { k: 9 }, { dtype: "i32", range: [-2, 2] }) },
  {
    note: "equal elements",
    ...sample([4, 30], { k: 9, largest: false }, { dtype: "u32", range: [0, 3] }),
  },
  {
    note: "equal elements, ranked",
    ...sample([600], { k: 600 }, { dtype: "i32", range: [-20, 20] }),
  },
  {
    note: "NaN and infinity",
    ...sample([6], { k: 6 }, { values: [1, NaN, Infinity, NaN, -Infinity, 2] }),
    gradient: false,
  },
  {
    note: "NaN and infinity",
    ...sample([6], { k: 6, largest: false }, { values: [1, NaN, Infinity, NaN, -Infinity, 2] }),
    gradient: false,
  },
  {
    note: "zeros of both signs",
    ...sample([4], { k: 3 }, { values: [0, -0, 0, -1] }),
    gradient: false,
  },
  {
    ...sample([2, 4], { k: 2 }, { dtype: "f16", values: [1, 3, 2, 3, -1, -2, -1.5, -2] }),
    feature: "shader-f16",
    gradient: false,
  },
];

export const topKCase = opCase<Args>({
  ops: ["topK"],
  title: "topK values",
  run: ([x], { k, ...options }) => topK(x as Tensor, k, options).values,
  reference: ([x], args) => reference(x as HostTensor, args, (value) => value),
  samples,
  errors: [
    { what: "more than there are", run: () => topK(tensor([1, 2, 3]), 4) },
    { what: "a negative k", run: () => topK(tensor([1, 2, 3]), -1) },
    { what: "a k that is no whole number", run: () => topK(tensor([1, 2, 3]), 1.5) },
    { what: "an axis that does not exist", run: () => topK(tensor([1, 2, 3]), 1, { axis: 1 }) },
    { what: "a scalar", run: () => topK(tensor(1), 1) },
  ],
});

export const topKIndicesCase = opCase<Args>({
  ops: ["topK"],
  title: "topK indices",
  run: ([x], { k, ...options }) => topK(x as Tensor, k, options).indices,
  reference: ([x], args) => reference(x as HostTensor, args, (_value, place) => place),
  samples: samples.map((record) => ({ ...record, gradient: false })),
});
