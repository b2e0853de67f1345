/** @file Conversion between element types. */
import source from "../../shaders/elementwise/cast.wgsl";
import { isFloat, type DType } from "../dtype.ts";
import { defineKernel } from "../kernel.ts";
import { defineOp } from "../op.ts";
import type { Tensor } from "../tensor.ts";
import { vectorGrid, vectorsOn } from "./vectors.ts";

const kernel = defineKernel({ name: "cast", source, grid: vectorGrid });

const castOp = defineOp<readonly [Tensor], { readonly dtype: DType }>({
  name: "cast",
  output: ([x], { dtype }) => ({ shape: x.shape, dtype }),
  forward: ([x], out) => {
    const overrides = {
      TO_INTEGER: Number(isFloat(x.dtype) && !isFloat(out.dtype)),
      VECTORS: vectorsOn(x.device),
    };
    kernel({ x, out }, { size: x.size }, { overrides, types: { FROM: x.dtype, TO: out.dtype } });
    return {};
  },
  gradient: (dy, { inputs: [x] }) => [
    isFloat(x.dtype) && isFloat(dy.dtype) ? cast(dy, x.dtype) : null,
  ],
});

/**
 * The same values in another element type. Reals are cut towards 0 and saturate at the last whole number that both
 * types hold (2^31 - 128 for f32 to i32); NaN becomes 0. The gradient passes between f32 and f16 and stops at integers.
 * Returns `x` itself when it already has the type.
 *
 * @throws DTypeError for f16 on an adapter without `shader-f16`.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : castOp([x], { dtype });
}
