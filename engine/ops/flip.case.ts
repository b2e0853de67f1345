/** @file What reversal means. */
import { hostAt, hostFrom } from "../host-tensor.ts";
import { opCase } from "../op-case.ts";
import { ones, zeros } from "./create.ts";
import { flip } from "./flip.ts";

export const flipCase = opCase<number | readonly number[] | undefined>({
  ops: ["flip"],
  title: "flip",
  run: ([x = zeros([])], axes) => flip(x, axes),
  reference: ([x = { shape: [], data: new Float64Array() }], axes) => {
    const rank = x.shape.length;
    const list =
      axes === undefined
        ? x.shape.map((_, axis) => axis)
        : typeof axes === "number"
          ? [axes]
          : axes;
    const flipped = list.map((axis) => (axis < 0 ? axis + rank : axis));
    return hostFrom(x.shape, (index) =>
      hostAt(
        x,
        index.map((i, axis) => (flipped.includes(axis) ? (x.shape[axis] ?? 0) - 1 - i : i)),
      ),
    );
  },
  samples: [
    { inputs: [{ shape: [] }], args: undefined },
    { inputs: [{ shape: [1] }], args: 0 },
    { inputs: [{ shape: [7] }], args: undefined },
    { inputs: [{ shape: [2, 5, 6, 3] }], args: 2 },
    { inputs: [{ shape: [2, 5, 6, 4] }], args: [1, -2] },
    { inputs: [{ shape: [3, 5] }], args: [] },
    { inputs: [{ shape: [3, 0, 5] }], args: 0 },
    { inputs: [{ shape: [2, 3, 2, 1, 2, 3, 2, 2] }], args: [0, 1, 4, 7] },
    { inputs: [{ shape: [9], dtype: "u32" }], args: 0 },
    { inputs: [{ shape: [3, 4], dtype: "i32" }], args: 0 },
    { feature: "shader-f16", inputs: [{ shape: [3, 5], dtype: "f16" }], args: [0, 1] },
  ],
  errors: [
    { what: "an axis that does not exist", run: () => flip(ones([2, 3]), 2) },
    { what: "an axis named twice", run: () => flip(ones([2, 3]), [1, -1]) },
  ],
});
