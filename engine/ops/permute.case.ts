/** @file What other orders of the axes mean. */
import { hostAt, hostFrom } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpSample } from "../op-case.ts";
import { ones, zeros } from "./create.ts";
import { permute, transpose } from "./permute.ts";

interface Order {
  readonly axes: readonly number[];
}

function sample(input: InputSpec, ...axes: number[]): OpSample<Order> {
  const feature = input.dtype === "f16" ? { feature: "shader-f16" as const } : {};
  return {
    note: `axes ${axes.join(" ")}`,
    inputs: [input],
    args: { axes },
    tolerance: 0,
    ...feature,
  };
}

export const permuteCase = opCase<Order>({
  ops: ["permute"],
  title: "permute",
  run: ([x = zeros([])], { axes }) => permute(x, axes),
  reference: ([x = { shape: [], data: new Float64Array() }], { axes }) =>
    hostFrom(
      axes.map((axis) => x.shape[axis] ?? 0),
      (index) =>
        hostAt(
          x,
          x.shape.map((_, axis) => index[axes.indexOf(axis)] ?? 0),
        ),
    ),
  samples: [
    sample({ shape: [] }),
    sample({ shape: [5] }, 0),
    sample({ shape: [3, 5] }, 1, 0),
    // 4 x 4 blocks in registers, and sizes on both sides of a block.
    sample({ shape: [4, 4] }, 1, 0),
    sample({ shape: [8, 12] }, 1, 0),
    sample({ shape: [8, 11] }, 1, 0),
    sample({ shape: [68, 132] }, 1, 0),
    sample({ shape: [3, 8, 4] }, 0, 2, 1),
    sample({ shape: [2, 6, 6, 8] }, 0, 3, 1, 2),
    sample({ shape: [2, 8, 6, 6] }, 0, 2, 3, 1),
    sample({ shape: [2, 5, 5, 3] }, 0, 3, 1, 2),
    sample({ shape: [2, 5, 5, 8] }, 0, 3, 1, 2),
    sample({ shape: [2, 7, 20], dtype: "f16" }, 0, 2, 1),
    // Units of 16 and 8 bytes, because the innermost axis stays.
    sample({ shape: [3, 5, 8] }, 1, 0, 2),
    sample({ shape: [3, 5, 6] }, 1, 0, 2),
    sample({ shape: [3, 5, 7] }, 1, 0, 2),
    // Axes of size 1 move nothing.
    sample({ shape: [3, 1, 5] }, 1, 0, 2),
    sample({ shape: [2, 0, 3] }, 2, 0, 1),
    sample({ shape: [2, 3, 2, 2, 1, 2, 3, 2] }, 7, 6, 5, 4, 3, 2, 1, 0),
    sample({ shape: [2, 3, 2, 2, 1, 2, 3, 2] }, 3, 0, 6, 1, 7, 2, 5, 4),
    sample({ shape: [3, 5], dtype: "i32", range: [-9, 9] }, 1, 0),
    sample({ shape: [2, 8, 4], dtype: "u32" }, 2, 0, 1),
    sample({ shape: [3, 5], dtype: "f16" }, 1, 0),
    sample({ shape: [8, 12], dtype: "f16" }, 1, 0),
    sample({ shape: [3, 5, 8], dtype: "f16" }, 1, 0, 2),
    sample({ shape: [3, 5, 2], dtype: "f16" }, 1, 0, 2),
  ],
  errors: [
    { what: "too few axes", run: () => permute(ones([2, 3]), [0]) },
    { what: "an axis named twice", run: () => permute(ones([2, 3]), [0, -2]) },
    { what: "an axis that does not exist", run: () => permute(ones([2, 3]), [0, 2]) },
  ],
});

export const transposeCase = opCase<readonly [number, number]>({
  ops: ["permute"],
  title: "transpose",
  run: ([x = zeros([])], [a, b]) => transpose(x, a, b),
  reference: ([x = { shape: [], data: new Float64Array() }], [a, b]) => {
    const swap = (list: readonly number[]): number[] => {
      const [i, j] = [a, b].map((axis) => (axis < 0 ? axis + list.length : axis));
      return list.map((value, k) =>
        k === i ? (list[j ?? 0] ?? 0) : k === j ? (list[i ?? 0] ?? 0) : value,
      );
    };
    return hostFrom(swap(x.shape), (index) => hostAt(x, swap(index)));
  },
  samples: [
    { inputs: [{ shape: [3, 5] }], args: [-2, -1] },
    { inputs: [{ shape: [2, 3, 4] }], args: [0, 2] },
    { inputs: [{ shape: [2, 3, 4] }], args: [1, 1] },
  ],
  errors: [{ what: "the default axes of a vector", run: () => transpose(ones([3])) }],
});
