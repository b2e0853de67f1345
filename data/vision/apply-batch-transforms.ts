/** @file Running the transforms of a batch on the device. */
import { keep, noGrad, openScope, type Tensor } from "../../engine/index.ts";
import type { BatchTransform } from "../batch-transform.ts";
import type { Xoshiro128 } from "../random.ts";

/** Runs transforms one after another; frees what lies between. The result is kept; `x` is freed unless it is the result, also when a
 * transform throws. */
export function applyBatchTransforms(
  x: Tensor,
  transforms: readonly BatchTransform[],
  random: Xoshiro128,
): Tensor {
  using _scope = openScope();
  let result: Tensor | undefined;
  try {
    result = noGrad(() => transforms.reduce((y, transform) => transform.apply(y, random), x));
  } finally {
    if (result !== x) x.release("the loader, after the transforms of the batch");
  }
  return keep(result);
}
