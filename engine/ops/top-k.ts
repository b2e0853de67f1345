/** @file The k largest or smallest elements. Formulas: `shaders/reduce/top-k.wgsl`. */
import source from "../../shaders/reduce/top-k.wgsl";
import { isFloat } from "../dtype.ts";
import { ArgumentError } from "../errors.ts";
import { defineKernel, linearGrid } from "../kernel.ts";
import { defineOp, zerosLike } from "../op.ts";
import { normalizeAxis } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { accumulatorOf, blockAround } from "./reduce-kernels.ts";

const forwardBindings = ["x", "values", "indices", "params"];

const chooseKernel = defineKernel({
  name: "top-k-choose",
  source,
  entryPoint: "choose",
  bindings: forwardBindings,
  grid: ({ columns }) => linearGrid(columns as number, 64),
});
const rankKernel = defineKernel({
  name: "top-k-rank",
  source,
  entryPoint: "rank",
  bindings: forwardBindings,
  grid: ({ columns, length }) => linearGrid((columns as number) * (length as number), 64),
});
const scatterKernel = defineKernel({
  name: "top-k-gradient",
  source,
  entryPoint: "scatter",
  bindings: ["dy", "saved_indices", "dx", "params"],
  grid: ({ columns, k }) => linearGrid((columns as number) * (k as number), 64),
});

/** One invocation that chooses makes at most this many loads in a row; beyond, many share the work. */
const mostLoadsInARow = 1 << 18;

export interface TopKOptions {
  /** Default: -1, the last. */
  readonly axis?: number;
  /** The largest elements, or the smallest. Default: true. */
  readonly largest?: boolean;
}

export interface TopK {
  /** Sorted, best first; k along the axis. */
  readonly values: Tensor;
  /** Where they are along the axis, i32. */
  readonly indices: Tensor;
}

interface Attributes {
  readonly k: number;
  readonly axis: number;
  readonly largest: boolean;
}

const topKOp = defineOp<readonly [Tensor], Attributes, { readonly indices: Tensor }>({
  name: "topK",
  output: ([x], { k, axis }) => ({ shape: x.shape.with(axis, k) }),
  forward: ([x], values, { k, axis, largest }) => {
    const { outer, length, inner } = blockAround(x.shape, axis);
    const indices = Tensor.allocate("topK", x.device, values.shape, "i32");
    const kernel = k * length <= mostLoadsInARow ? chooseKernel : rankKernel;
    const overrides = { LARGEST: Number(largest), IS_FLOAT: Number(isFloat(x.dtype)) };
    const types = { T: x.dtype, A: accumulatorOf(x.dtype) };
    kernel(
      { x, values, indices },
      { columns: outer * inner, length, inner, k },
      { overrides, types },
    );
    return { indices };
  },
  gradient: (dy, { inputs: [x], attributes: { k, axis }, saved: { indices } }) => {
    const { outer, length, inner } = blockAround(x.shape, axis);
    const dx = zerosLike(x);
    const types = { T: x.dtype, A: accumulatorOf(x.dtype) };
    scatterKernel(
      { dy, saved_indices: indices, dx },
      { columns: outer * inner, length, inner, k },
      { types },
    );
    return [dx];
  },
});

/**
 * The k largest (or smallest) elements along an axis, sorted, and their indices. Of equal elements the one with the lower index
 * comes first; NaN counts as the largest. The gradient of `values` goes back to where they came from.
 *
 * Meant for axes of up to a few thousand elements: the cost is k * length for a row, or length * length where that would keep
 * one invocation busy for too long.
 *
 * @throws ArgumentError for an axis that does not exist or a k outside 0..length.
 */
export function topK(x: Tensor, k: number, options: TopKOptions = {}): TopK {
  const { axis = -1, largest = true } = options;
  const along = normalizeAxis("topK", axis, x.shape.length);
  const length = x.shape[along] ?? 0;
  if (!Number.isInteger(k) || k < 0 || k > length) {
    throw new ArgumentError(
      "topK",
      `k does not fit: ${k} of ${length} elements`,
      `Use a whole number from 0 to ${length}`,
    );
  }
  const { out: values, saved } = topKOp.withSaved([x], { k, axis: along, largest });
  if (values.size === 0)
    return { values, indices: Tensor.allocate("topK", x.device, values.shape, "i32") };
  // backward frees what was saved; the caller's indices outlive it.
  return { values, indices: values.node === undefined ? saved.indices : saved.indices.alias() };
}
