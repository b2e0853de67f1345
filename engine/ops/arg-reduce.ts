/** @file Where the largest and the smallest elements are. Formulas: `shaders/reduce/arg.wgsl`. */
import source from "../../shaders/reduce/arg.wgsl";
import { isFloat } from "../dtype.ts";
import { ShapeError } from "../errors.ts";
import { defineKernel, linearGrid } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { ceilDiv, formatShape, normalizeAxis } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { accumulatorOf, blockAround, manyInvocations } from "./reduce-kernels.ts";
import type { ReduceOptions } from "./reduce.ts";

const kernel = defineKernel({
  name: "arg-reduce",
  source,
  grid: ({ columns, slices }) => linearGrid((columns as number) * (slices as number), 64),
});

/** A slice has at least this many candidates. */
const fewestCandidates = 32;

interface Attributes extends Required<ReduceOptions> {
  readonly axis: number;
}

function defineArgReduce(name: "argMax" | "argMin", LARGEST: 0 | 1) {
  const op = defineOp<readonly [Tensor], Attributes>({
    name,
    output: ([x], { axis, keepDims }) => {
      if (x.shape[axis] === 0) {
        throw new ShapeError(
          name,
          `no elements along axis ${axis}: ${formatShape(x.shape)}`,
          "Choose an axis that is not empty",
        );
      }
      return { shape: keepDims ? x.shape.with(axis, 1) : x.shape.toSpliced(axis, 1), dtype: "i32" };
    },
    forward: ([x], out, { axis }) => {
      search(name, LARGEST, x, axis, out);
      return {};
    },
    gradient: null,
  });
  return (x: Tensor, axis: number, { keepDims = false }: ReduceOptions = {}): Tensor =>
    op([x], { axis: normalizeAxis(name, axis, x.shape.length), keepDims });
}

/** Passes until one candidate is left in each column. */
function search(label: string, LARGEST: 0 | 1, x: Tensor, axis: number, out: Tensor): void {
  const { outer, length, inner } = blockAround(x.shape, axis);
  const columns = outer * inner;
  let candidates: Tensor | undefined;
  for (let count = length; candidates !== out;) {
    const wanted = Math.min(
      ceilDiv(manyInvocations(x), columns),
      Math.floor(count / fewestCandidates),
    );
    const perSlice = ceilDiv(count, Math.max(1, wanted));
    const slices = ceilDiv(count, perSlice);
    const winners: Tensor =
      slices === 1 ? out : Tensor.allocate(label, x.device, [columns * slices], "i32");
    const overrides = {
      LARGEST,
      IS_FLOAT: Number(isFloat(x.dtype)),
      CANDIDATES: Number(candidates !== undefined),
    };
    const types = { T: x.dtype, A: accumulatorOf(x.dtype) };
    const params = { columns, length, inner, count, slices, per_slice: perSlice };
    kernel({ x, candidates: candidates ?? x, out: winners }, params, { overrides, types, label });
    candidates = winners;
    count = slices;
  }
}

const argMaxAlong = defineArgReduce("argMax", 1);
const argMinAlong = defineArgReduce("argMin", 0);

/**
 * The index (i32) of the largest element along an axis: the first of equal ones; the first NaN, if there is one. It has no
 * gradient.
 *
 * @throws ArgumentError for an axis that does not exist, ShapeError for an empty one.
 */
export function argMax(x: Tensor, axis: number, options: ReduceOptions = {}): Tensor {
  return argMaxAlong(x, axis, options);
}

/** The index (i32) of the smallest element along an axis; otherwise as `argMax`. */
export function argMin(x: Tensor, axis: number, options: ReduceOptions = {}): Tensor {
  return argMinAlong(x, axis, options);
}
