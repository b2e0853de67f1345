/** @file Running sums. Formulas: `shaders/reduce/scan.wgsl`. */
import source from "../../shaders/reduce/scan.wgsl";
import { defineKernel, linearGrid, type ParamValues } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { ceilDiv, normalizeAxis } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { busyInvocations } from "./column-slices.ts";
import { accumulatorOf, blockAround, type Block } from "./reduce-kernels.ts";

const grid = ({ columns, blocks }: ParamValues) =>
  linearGrid((columns as number) * (blocks as number), 64);

const totalsKernel = defineKernel({
  name: "cumulative-sum-totals",
  source,
  entryPoint: "totals",
  bindings: ["x", "block_totals", "params"],
  grid,
});
const scanKernel = defineKernel({
  name: "cumulative-sum",
  source,
  entryPoint: "scan",
  bindings: ["x", "scanned", "out", "params"],
  grid,
});

/** A block has at least this many elements, or the two extra passes cost more than they save ... */
const shortestBlock = 32;
/** ... and at most this many, so that rounding errors do not pile up. */
const longestBlock = 1024;

const cumulativeSumOp = defineOp<readonly [Tensor], { readonly axis: number }>({
  name: "cumulativeSum",
  output: ([x]) => ({ shape: x.shape }),
  forward: ([x], out, { axis }) => {
    scan(x, blockAround(x.shape, axis), out, false);
    return {};
  },
  gradient: (dy, { inputs: [x], attributes: { axis } }) => {
    const dx = Tensor.allocate("cumulativeSum", x.device, x.shape, x.dtype);
    scan(dy, blockAround(x.shape, axis), dx, true);
    return [dx];
  },
});

function scan(x: Tensor, { outer, length, inner }: Block, out: Tensor, reverse: boolean): void {
  const columns = outer * inner;
  const wanted = Math.min(
    ceilDiv(busyInvocations(x.device), columns),
    Math.floor(length / shortestBlock),
  );
  const perBlock = Math.min(longestBlock, ceilDiv(length, Math.max(1, wanted)));
  const blocks = ceilDiv(length, perBlock);
  const params = { columns, length, inner, blocks, per_block: perBlock };
  const A = accumulatorOf(x.dtype);
  const options = {
    overrides: { REVERSE: Number(reverse), OFFSETS: Number(blocks > 1) },
    types: { T: x.dtype, A, O: out.dtype },
  };
  if (blocks === 1) {
    scanKernel({ x, scanned: x, out }, params, options);
    return;
  }
  const blockTotals = Tensor.allocate("cumulativeSum", x.device, [columns * blocks], A);
  const scanned = Tensor.allocate("cumulativeSum", x.device, [columns * blocks], A);
  totalsKernel({ x, block_totals: blockTotals }, params, options);
  scan(blockTotals, { outer, length: blocks, inner }, scanned, false);
  scanKernel({ x, scanned, out }, params, options);
}

/**
 * The sum of all elements up to and including each, along an axis. Whole numbers wrap around at 32 bits; f16 is added up in f32.
 * @throws ArgumentError for an axis that does not exist.
 */
export function cumulativeSum(x: Tensor, axis: number): Tensor {
  return cumulativeSumOp([x], { axis: normalizeAxis("cumulativeSum", axis, x.shape.length) });
}
