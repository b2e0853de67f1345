/** @file What the views mean: the elements stay, the shape changes. */
import type { HostTensor } from "../host-tensor.ts";
import { opCase } from "../op-case.ts";
import type { Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { ones, zeros } from "./create.ts";
import { flatten, reshape, squeeze, unsqueeze } from "./reshape.ts";

interface View {
  readonly of: (x: Tensor) => Tensor;
  readonly shape: Shape;
}

function reference([x]: readonly HostTensor[], { shape }: View): HostTensor {
  return { shape, data: x?.data ?? new Float64Array() };
}

export const reshapeCase = opCase<View>({
  ops: ["reshape"],
  title: "reshape and its relatives",
  run: ([x = zeros([])], { of }) => of(x),
  reference,
  samples: [
    { inputs: [{ shape: [2, 6] }], args: { of: (x) => reshape(x, [3, 4]), shape: [3, 4] } },
    { inputs: [{ shape: [2, 6] }], args: { of: (x) => reshape(x, [3, -1, 2]), shape: [3, 2, 2] } },
    { inputs: [{ shape: [1, 1] }], args: { of: (x) => reshape(x, []), shape: [] } },
    { inputs: [{ shape: [] }], args: { of: (x) => reshape(x, [1, -1]), shape: [1, 1] } },
    { inputs: [{ shape: [0, 4] }], args: { of: (x) => reshape(x, [2, 0, 3]), shape: [2, 0, 3] } },
    { inputs: [{ shape: [0, 4] }], args: { of: (x) => reshape(x, [-1, 3]), shape: [0, 3] } },
    {
      inputs: [{ shape: [4], dtype: "i32" }],
      args: { of: (x) => reshape(x, [2, 2]), shape: [2, 2] },
    },
    {
      inputs: [{ shape: [256] }],
      args: { of: (x) => reshape(x, Array<number>(8).fill(2)), shape: Array<number>(8).fill(2) },
    },
    {
      note: "squeeze",
      inputs: [{ shape: [1, 3, 1] }],
      args: { of: (x) => squeeze(x), shape: [3] },
    },
    {
      note: "squeeze",
      inputs: [{ shape: [1, 3, 1] }],
      args: { of: (x) => squeeze(x, -1), shape: [1, 3] },
    },
    {
      note: "squeeze",
      inputs: [{ shape: [1, 0, 1] }],
      args: { of: (x) => squeeze(x, [0, 2]), shape: [0] },
    },
    {
      note: "unsqueeze",
      inputs: [{ shape: [3, 2] }],
      args: { of: (x) => unsqueeze(x, 1), shape: [3, 1, 2] },
    },
    {
      note: "unsqueeze",
      inputs: [{ shape: [3, 2] }],
      args: { of: (x) => unsqueeze(x, -1), shape: [3, 2, 1] },
    },
    {
      note: "unsqueeze",
      inputs: [{ shape: [] }],
      args: { of: (x) => unsqueeze(x, 0), shape: [1] },
    },
    {
      note: "flatten",
      inputs: [{ shape: [2, 3, 4] }],
      args: { of: (x) => flatten(x), shape: [24] },
    },
    {
      note: "flatten",
      inputs: [{ shape: [2, 3, 4] }],
      args: { of: (x) => flatten(x, 1), shape: [2, 12] },
    },
    {
      note: "flatten",
      inputs: [{ shape: [2, 3, 4] }],
      args: { of: (x) => flatten(x, 0, 1), shape: [6, 4] },
    },
    { note: "flatten", inputs: [{ shape: [] }], args: { of: (x) => flatten(x), shape: [1] } },
    {
      note: "flatten",
      inputs: [{ shape: [2, 0] }],
      args: { of: (x) => flatten(x, 1), shape: [2, 0] },
    },
  ],
  errors: [
    { what: "another number of elements", run: () => reshape(ones([2, 3]), [4]) },
    { what: "a free size that does not divide", run: () => reshape(ones([2, 3]), [4, -1]) },
    { what: "a free size beside 0", run: () => reshape(zeros([0, 3]), [0, -1]) },
    { what: "two free sizes", run: () => reshape(ones([2, 3]), [-1, -1]) },
    { what: "nine axes", run: () => reshape(ones([1]), Array<number>(9).fill(1)) },
    { what: "to squeeze an axis of another size", run: () => squeeze(ones([2, 1]), 0) },
    { what: "to unsqueeze beyond the end", run: () => unsqueeze(ones([2, 1]), 3) },
    { what: "to flatten backwards", run: () => flatten(ones([2, 1]), 1, 0) },
  ],
});
