/** @file Where the largest and the smallest elements are. Formulas: `shaders/reduce/arg.wgsl`. */
import source from "../../shaders/reduce/arg.wgsl";
import { isFloat, type DType } from "../dtype.ts";
import { ShapeError } from "../errors.ts";
import { defineKernel, type TypeAliases } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { ceilDiv, formatShape, normalizeAxis } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { accumulatorOf, blockAround, manyInvocations, type Block } from "./reduce-kernels.ts";
import type { ReduceOptions } from "./reduce.ts";
import { spreadGrid, spreadOf } from "./vectors.ts";

function argKernel(entryPoint: string, out: string) {
  return defineKernel({
    name: "arg-reduce",
    source,
    entryPoint,
    bindings: ["x", "candidates", out, "params"],
    grid: ({ outer, inner, slices }, overrides) =>
      spreadGrid((outer as number) * (inner as number) * (slices as number), overrides),
  });
}

const columnsKernel = argKernel("columns", "out");
const singleKernel = argKernel("single", "out_scalars");

/** A slice has at least this many vectors or candidates. */
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

/** Passes until one candidate is left in each column; candidates are compared one by one. */
function search(label: string, LARGEST: 0 | 1, x: Tensor, axis: number, out: Tensor): void {
  const block = blockAround(x.shape, axis);
  let { slices, winners } = searchPass(label, LARGEST, x, block, lanesOf(block), out);
  while (winners !== out) {
    const candidates = { tensor: winners, count: slices };
    ({ slices, winners } = searchPass(label, LARGEST, x, block, single, out, candidates));
  }
}

/** What the vectors are that an invocation compares: parts of a row, or neighbouring columns. */
interface Lanes {
  readonly lanes: 1 | 4;
  readonly ROWS: 0 | 1;
}

const single: Lanes = { lanes: 1, ROWS: 0 };

function lanesOf({ length, inner }: Block): Lanes {
  if (inner === 1) return length % 4 === 0 ? { lanes: 4, ROWS: 1 } : single;
  return inner % 4 === 0 ? { lanes: 4, ROWS: 0 } : single;
}

interface Candidates {
  readonly tensor: Tensor;
  /** In each column. */
  readonly count: number;
}

function searchPass(
  label: string,
  LARGEST: 0 | 1,
  x: Tensor,
  { outer, length, inner }: Block,
  { lanes, ROWS }: Lanes,
  out: Tensor,
  candidates?: Candidates,
) {
  const columns = ROWS ? outer : (outer * inner) / lanes;
  const count = candidates?.count ?? (ROWS ? length / lanes : length);
  const wanted = Math.min(
    ceilDiv(manyInvocations(x), columns),
    Math.floor(count / fewestCandidates),
  );
  const per_slice = ceilDiv(count, Math.max(1, wanted));
  const slices = ceilDiv(count, per_slice);
  const winners =
    slices === 1 ? out : Tensor.allocate(label, x.device, [outer * inner * slices], "i32");
  const kernel = lanes === 4 && !ROWS ? columnsKernel : singleKernel;
  kernel(
    { x, candidates: candidates?.tensor ?? x, out: winners, out_scalars: winners },
    {
      ...{ outer, count, slices, per_slice },
      length: ROWS ? length / lanes : length,
      inner: ROWS ? 1 : inner / lanes,
    },
    {
      overrides: {
        ...{ LARGEST, ROWS, CANDIDATES: Number(candidates !== undefined) },
        IS_FLOAT: Number(isFloat(x.dtype)),
        ...spreadOf(x.device, columns * slices),
      },
      types: typesOf(x.dtype, lanes),
      label,
    },
  );
  return { slices, winners };
}

function typesOf(dtype: DType, lanes: 1 | 4): TypeAliases {
  const A = accumulatorOf(dtype);
  return lanes === 4 ? { S: `vec4<${dtype}>`, V: `vec4<${A}>`, A } : { S: dtype, V: A, A };
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
