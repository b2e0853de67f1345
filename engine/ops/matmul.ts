/** @file Matrix products, plain and batched. Kernels: `matmul-kernels.ts`. */
import { isFloat } from "../dtype.ts";
import { ArgumentError, DTypeError, ShapeError } from "../errors.ts";
import { defineOp } from "../op.ts";
import { broadcastShapes, formatShape, shapesEqual, sizeOf, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { expand } from "./expand.ts";
import { matmulFamily, type MatmulProblem } from "./matmul-kernels.ts";
import { reshape } from "./reshape.ts";

export interface MatmulOptions {
  /** `a` is stored `[..., k, m]`. Default: false. */
  readonly transposeA?: boolean;
  /** `b` is stored `[..., n, k]`. Default: false. */
  readonly transposeB?: boolean;
}

type Transposes = Required<MatmulOptions>;

/** Leading axes of the result, and the sizes of its matrices. */
interface Sizes {
  readonly batch: Shape;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function sizesOf(a: Shape, b: Shape, { transposeA, transposeB }: Transposes): Sizes {
  const [m = 0, k = 0] = lastTwo(a, transposeA);
  const [kOfB = 0, n = 0] = lastTwo(b, transposeB);
  if (k !== kOfB) {
    const operands = `${describe(a, "a", transposeA)} and ${describe(b, "b", transposeB)}`;
    throw new ShapeError(
      "matmul",
      `the inner sizes differ: ${k} and ${kOfB} in ${operands}`,
      "They must be equal; transposeA or transposeB turns a matrix round",
    );
  }
  return { batch: broadcastShapes("matmul", a.slice(0, -2), b.slice(0, -2)), m, n, k };
}

function lastTwo(shape: Shape, transposed: boolean): Shape {
  const matrix = shape.slice(-2);
  return transposed ? matrix.reverse() : matrix;
}

function describe(shape: Shape, name: string, transposed: boolean): string {
  return `${name} ${formatShape(shape)}${transposed ? " (transposed)" : ""}`;
}

/** A stack of matrices as the kernels take it: one for each of the batch, or one for all. */
function stackOf(x: Tensor, batch: Shape): { readonly tensor: Tensor; readonly step: number } {
  const own = x.shape.slice(0, -2);
  const matrix = x.shape.slice(-2);
  if (sizeOf(own) === 1) return { tensor: x, step: 0 };
  const tensor = shapesEqual(own, batch) ? x : expand(x, [...batch, ...matrix]);
  return { tensor, step: sizeOf(matrix) };
}

/** A stack times one matrix is one product of a taller matrix. */
function merged(problem: MatmulProblem): MatmulProblem {
  const { batch, m, k, aBatch, bBatch, transposeA } = problem;
  if (bBatch !== 0 || transposeA || aBatch !== m * k) return problem;
  return { ...problem, batch: 1, m: batch * m, aBatch: 0 };
}

const matmulOp = defineOp<readonly [Tensor, Tensor], Transposes>({
  name: "matmul",
  output: ([a, b], transposes) => {
    if (a.dtype !== b.dtype || !isFloat(a.dtype)) {
      throw new DTypeError(
        "matmul",
        `it takes two tensors of one real type: ${a.dtype} and ${b.dtype}`,
        'Use cast(x, "f32") first',
      );
    }
    const { batch, m, n } = sizesOf(a.shape, b.shape, transposes);
    return { shape: [...batch, m, n] };
  },
  forward: ([a, b], out, transposes) => {
    const { batch, m, n, k } = sizesOf(a.shape, b.shape, transposes);
    const left = stackOf(a, batch);
    const right = stackOf(b, batch);
    const strides = { aBatch: left.step, bBatch: right.step };
    const problem = merged({ batch: sizeOf(batch), m, n, k, ...strides, ...transposes });
    matmulFamily.run(out.device, { a: left.tensor, b: right.tensor, out }, problem);
    return {};
  },
  // out = a b, so da = dy b^T and db = a^T dy; a transposed operand has the transposed gradient.
  gradient: (dy, { inputs: [a, b], attributes, needs }) => [
    needs[0] === true ? gradientOfA(dy, b, attributes) : null,
    needs[1] === true ? gradientOfB(dy, a, b, attributes) : null,
  ],
});

function gradientOfA(dy: Tensor, b: Tensor, { transposeA, transposeB }: Transposes): Tensor {
  return transposeA
    ? matmulOp([b, dy], { transposeA: transposeB, transposeB: true })
    : matmulOp([dy, b], { transposeA: false, transposeB: !transposeB });
}

function gradientOfB(dy: Tensor, a: Tensor, b: Tensor, transposes: Transposes): Tensor {
  const { transposeA, transposeB } = transposes;
  const batch = dy.shape.slice(0, -2);
  // One matrix b for a stack of a: the sum over the batch is part of the sum over the rows.
  if (!transposeA && b.shape.length === 2 && shapesEqual(a.shape.slice(0, -2), batch)) {
    return gradientOfMatrixB(flattenRows(dy), flattenRows(a), transposes);
  }
  return transposeB
    ? matmulOp([dy, a], { transposeA: true, transposeB: transposeA })
    : matmulOp([a, dy], { transposeA: !transposeA, transposeB: false });
}

function gradientOfMatrixB(dy: Tensor, a: Tensor, { transposeB }: Transposes): Tensor {
  const [left, right] = transposeB ? [dy, a] : [a, dy];
  return matmulOp([left, right], { transposeA: true, transposeB: false });
}

function flattenRows(x: Tensor): Tensor {
  return x.alias([sizeOf(x.shape.slice(0, -1)), x.shape.at(-1) ?? 0]);
}

/**
 * The product of matrices: `out[..., i, j] = sum over p of a[..., i, p] b[..., p, j]` for a of shape `[..., m, k]` and b of
 * `[..., k, n]`. Leading axes are batches and broadcast. A vector `[k]` counts as a row on the left and as a column on the
 * right, and its axis of size 1 is missing from the result, as in PyTorch. Sums are f32, for f16 too.
 *
 * @throws ShapeError when the inner sizes or the batches do not fit, DTypeError unless both have one real type, ArgumentError
 * for a vector that is to be transposed.
 */
export function matmul(a: Tensor, b: Tensor, options: MatmulOptions = {}): Tensor {
  const { transposeA = false, transposeB = false } = options;
  const left = asMatrix(a, "a", transposeA, (k) => [1, k]);
  const right = asMatrix(b, "b", transposeB, (k) => [k, 1]);
  const out = matmulOp([left, right], { transposeA, transposeB });
  if (left === a && right === b) return out;
  const [m, n] = out.shape.slice(-2);
  const kept = [...(left === a ? [m ?? 0] : []), ...(right === b ? [n ?? 0] : [])];
  return reshape(out, [...out.shape.slice(0, -2), ...kept]);
}

/** A vector as a matrix; a matrix as it is. */
function asMatrix(
  x: Tensor,
  name: string,
  transposed: boolean,
  shapeOf: (k: number) => Shape,
): Tensor {
  const [k] = x.shape;
  if (x.shape.length > 1) return x;
  if (k === undefined) {
    throw new ShapeError("matmul", `${name} is a number, not a matrix: []`, "Use mul for numbers");
  }
  if (transposed) {
    throw new ArgumentError(
      "matmul",
      `a vector cannot be transposed: ${describe(x.shape, name, true)}`,
      "Leave the option out, or reshape the vector to a matrix",
    );
  }
  return reshape(x, shapeOf(k));
}
