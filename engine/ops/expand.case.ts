/** @file What repetition means. */
import { hostAtBroadcast, hostFrom } from "../host-tensor.ts";
import { opCase } from "../op-case.ts";
import type { Shape } from "../shape.ts";
import { ones, zeros } from "./create.ts";
import { expand } from "./expand.ts";

interface Target {
  readonly to: Shape;
  /** The result's shape, where `to` leaves a size open. */
  readonly shape?: Shape;
}

export const expandCase = opCase<Target>({
  ops: ["expand"],
  title: "expand",
  run: ([x = zeros([])], { to }) => expand(x, to),
  reference: ([x = { shape: [], data: new Float64Array() }], { to, shape = to }) =>
    hostFrom(shape, (index) => hostAtBroadcast(x, index)),
  samples: [
    { inputs: [{ shape: [] }], args: { to: [3, 2] } },
    { inputs: [{ shape: [1] }], args: { to: [5] } },
    { inputs: [{ shape: [4] }], args: { to: [3, 4] } },
    { inputs: [{ shape: [3, 1] }], args: { to: [3, 4] } },
    { inputs: [{ shape: [3, 1] }], args: { to: [2, -1, 4], shape: [2, 3, 4] } },
    { inputs: [{ shape: [2, 1, 3, 1] }], args: { to: [2, 5, 3, 2] } },
    { inputs: [{ shape: [2, 3] }], args: { to: [2, 3] } },
    { inputs: [{ shape: [1, 3] }], args: { to: [0, 3] } },
    { inputs: [{ shape: [0, 1] }], args: { to: [0, 4] } },
    { inputs: [{ shape: [1, 2, 1, 2, 1, 2, 1, 2] }], args: { to: [2, 2, 3, 2, 1, 2, 2, 2] } },
    { inputs: [{ shape: [1, 8], dtype: "i32" }], args: { to: [3, 8] } },
    { feature: "shader-f16", inputs: [{ shape: [3, 1], dtype: "f16" }], args: { to: [3, 5] } },
  ],
  errors: [
    { what: "a size that is not 1", run: () => expand(ones([2, 3]), [4, 3]) },
    { what: "fewer axes", run: () => expand(ones([2, 3]), [3]) },
    { what: "an open size of a new axis", run: () => expand(ones([3]), [-1, 3]) },
  ],
});
