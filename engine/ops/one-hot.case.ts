/** @file What one-hot rows mean. */
import type { DType } from "../dtype.ts";
import { hostAt, hostFrom } from "../host-tensor.ts";
import { opCase } from "../op-case.ts";
import { ones, zeros } from "./create.ts";
import { oneHot } from "./one-hot.ts";

interface Classes {
  readonly classes: number;
  readonly dtype?: DType;
}

export const oneHotCase = opCase<Classes>({
  ops: ["oneHot"],
  title: "oneHot",
  run: ([labels = zeros([])], { classes, dtype = "f32" }) => oneHot(labels, classes, { dtype }),
  reference: ([labels = { shape: [], data: new Float64Array() }], { classes }) =>
    hostFrom([...labels.shape, classes], (index) =>
      Number(hostAt(labels, index.slice(0, -1)) === index.at(-1)),
    ),
  samples: [
    { inputs: [{ shape: [], dtype: "u32" }], args: { classes: 10 } },
    { inputs: [{ shape: [7], dtype: "u32" }], args: { classes: 10 } },
    { inputs: [{ shape: [3, 5], dtype: "i32", range: [0, 3] }], args: { classes: 4 } },
    { inputs: [{ shape: [70], dtype: "u32", range: [0, 0] }], args: { classes: 1 } },
    { inputs: [{ shape: [0], dtype: "u32" }], args: { classes: 3 } },
    {
      note: "labels outside",
      inputs: [{ shape: [4], dtype: "i32", values: [-1, 0, 2, 3] }],
      args: { classes: 3 },
    },
    {
      note: "as u32",
      inputs: [{ shape: [4], dtype: "i32", range: [0, 2] }],
      args: { classes: 3, dtype: "u32" },
    },
    {
      feature: "shader-f16",
      note: "as f16",
      inputs: [{ shape: [4], dtype: "i32", range: [0, 2] }],
      args: { classes: 3, dtype: "f16" },
    },
  ],
  errors: [
    { what: "no classes", run: () => oneHot(ones([2], { dtype: "u32" }), 0) },
    { what: "labels of f32", run: () => oneHot(ones([2]), 3) },
  ],
});
