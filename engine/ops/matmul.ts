/** @file Matrix products, plain and batched. Kernels: `shaders/matmul/`. */
import naiveSource from "../../shaders/matmul/naive.wgsl";
import { isFloat } from "../dtype.ts";
import { DTypeError, ShapeError } from "../errors.ts";
import { defineKernel, linearGrid, type Kernel } from "../kernel.ts";
import { defineOp } from "../op.ts";
import { broadcastShapes, formatShape, shapesEqual, sizeOf, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { expand } from "./expand.ts";

export interface MatmulOptions {
  /** `a` is stored `[..., k, m]`. Default: false. */
  readonly transposeA?: boolean;
  /** `b` is stored `[..., n, k]`. Default: false. */
  readonly transposeB?: boolean;
}

type Transposes = Required<MatmulOptions>;

const naive = defineKernel({
  name: "matmul/naive",
  source: naiveSource,
  grid: ({ m, n, batch }) => {
    const [x, y] = linearGrid((m as number) * (n as number), 64);
    return [x, y, batch as number];
  },
});

interface Problem {
  readonly batch: Shape;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function problemOf(a: Tensor, b: Tensor, { transposeA, transposeB }: Transposes): Problem {
  const [rowsA, columnsA] = [a.shape.at(-2) ?? 0, a.shape.at(-1) ?? 0];
  const [rowsB, columnsB] = [b.shape.at(-2) ?? 0, b.shape.at(-1) ?? 0];
  const [m, k] = transposeA ? [columnsA, rowsA] : [rowsA, columnsA];
  const [kb, n] = transposeB ? [columnsB, rowsB] : [rowsB, columnsB];
  const shapes = `${formatShape(a.shape)} and ${formatShape(b.shape)}`;
  if (a.shape.length < 2 || b.shape.length < 2) {
    throw new ShapeError("matmul", `both must have two axes or more: ${shapes}`, "Use unsqueeze on a vector");
  }
  if (k !== kb) {
    const flags = `transposeA ${transposeA}, transposeB ${transposeB}`;
    throw new ShapeError("matmul", `the inner sizes differ: ${k} and ${kb} (${shapes}, ${flags})`, "Transpose one of them");
  }
  return { batch: broadcastShapes("matmul", a.shape.slice(0, -2), b.shape.slice(0, -2)), m, n, k };
}

/** The one place that chooses a kernel. */
function variantFor(): Kernel {
  return naive;
}

/** A stack of matrices as the kernels take it: one for each batch, or one for all. */
function stack(x: Tensor, batch: Shape): { tensor: Tensor; step: number } {
  const own = x.shape.slice(0, -2);
  const matrix = (x.shape.at(-2) ?? 0) * (x.shape.at(-1) ?? 0);
  if (sizeOf(own) === 1) return { tensor: x, step: 0 };
  const full = shapesEqual(own, batch) ? x : expand(x, [...batch, ...x.shape.slice(-2)]);
  return { tensor: full, step: matrix };
}

const matmulOp = defineOp<readonly [Tensor, Tensor], Transposes>({
  name: "matmul",
  output: ([a, b], transposes) => {
    if (a.dtype !== b.dtype || !isFloat(a.dtype)) {
      throw new DTypeError("matmul", `it takes two tensors of one real type: ${a.dtype} and ${b.dtype}`, "Use cast");
    }
    const { batch, m, n } = problemOf(a, b, transposes);
    return { shape: [...batch, m, n] };
  },
  forward: ([a, b], out, transposes) => {
    const { batch, m, n, k } = problemOf(a, b, transposes);
    const [left, right] = [stack(a, batch), stack(b, batch)];
    const params = { m, n, k, a_batch: left.step, b_batch: right.step, batch: sizeOf(batch) };
    const overrides = { TRANSPOSE_A: Number(transposes.transposeA), TRANSPOSE_B: Number(transposes.transposeB) };
    variantFor()({ a: left.tensor, b: right.tensor, out }, params, { overrides, types: { T: a.dtype } });
    return {};
  },
  gradient: (dy, { inputs: [a, b], attributes: { transposeA, transposeB }, needs }) => [
    needs[0] !== true
      ? null
      : transposeA
        ? matmul(b, dy, { transposeA: transposeB, transposeB: true })
        : matmul(dy, b, { transposeB: !transposeB }),
    needs[1] !== true
      ? null
      : transposeB
        ? matmul(dy, a, { transposeA: true, transposeB: transposeA })
        : matmul(a, dy, { transposeA: !transposeA }),
  ],
});

/**
 * `out[..., i, j] = sum over p of a[..., i, p] b[..., p, j]`: a of shape `[..., m, k]`, b of `[..., k, n]`. Leading axes are
 * batches and broadcast.
 *
 * @throws ShapeError when the inner sizes or the batches do not fit, DTypeError for integers.
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: MatmulOptions = {}): Tensor {
  return matmulOp([a, b], { transposeA, transposeB });
}
