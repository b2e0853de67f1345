/**
 * @file Matrix products of packed operands: `shaders/matmul/packed.wgsl`, and the packing, `pack.wgsl`. Packing costs a copy of both
 * operands and lets the product read forwards only. Winograd's transforms write what they make in this order to begin with.
 */
import packSource from "../../../shaders/matmul/pack.wgsl";
import packedSource from "../../../shaders/matmul/packed.wgsl";
import { defineKernel, linearGrid, type ParamValues } from "../../kernel.ts";
import { ceilDiv } from "../../shape.ts";
import { Tensor } from "../../tensor.ts";
import { copyStrided } from "../strided-copy.ts";
import type { Abilities } from "../variants.ts";

/** Lanes of a subgroup in `packed.wgsl`. */
const lanes = 8;

/** Whether the product of packed matrices can run there. */
export function canMultiplyPacked(device: Abilities): boolean {
  return device.hasSubgroupsOf(lanes);
}

/** What every WebGPU device can bind. */
const mostBytes = 128 * 2 ** 20;

/**
 * Whether packed factors are tensors that every device can bind: so many rows of a, or columns of b, are filled up to whole blocks, which
 * makes thin matrices many times larger.
 */
export function canPack(matrices: number, rows: number, length: number): boolean {
  const vectors = matrices * blockSize * ceilDiv(rows, blockSize) * ceilDiv(length, stepSize);
  return 16 * vectors <= mostBytes;
}

/** Rows of a, and columns of b, of one block: the side of the kernel's tile. */
const blockSize = 32;

/** Steps of a sum whose factors lie in one vec4, or in vec4s side by side. */
const stepSize = 4;

/** One factor: a stack of matrices as they are in memory. */
export interface Stack {
  readonly matrices: number;
  readonly rows: number;
  readonly columns: number;
  /** Elements from one matrix to the next. */
  readonly step: number;
  /** The sums run down the columns, not along the rows. */
  readonly across: boolean;
}

/** Blocks of a matrix, and the vec4 steps of each. */
function blocksOf({ rows, columns, across }: Omit<Stack, "matrices" | "step">) {
  return {
    blocks: ceilDiv(across ? columns : rows, blockSize),
    steps: ceilDiv(across ? rows : columns, stepSize),
  };
}

/**
 * Where element vec4 `c` of row `r` of a packed matrix of so many rows and columns is, in vec4s:
 *
 *     r / 32 rowBlock + r % 32 / 4 quadStep + r % 4 rowStep + c / 8 columnBlock + c % 8 columnStep
 */
export interface Packing {
  readonly rowBlock: number;
  readonly quadStep: number;
  readonly rowStep: number;
  readonly columnBlock: number;
  readonly columnStep: number;
  /** vec4s of the whole matrix, filled up to whole blocks. */
  readonly size: number;
}

/** A matrix that is packed; `columns` is a multiple of 4, and so is `rows` where the sums run down the columns. */
export function packingOf(rows: number, columns: number, across: boolean): Packing {
  const { blocks, steps } = blocksOf({ rows, columns, across });
  const block = steps * blockSize;
  return across
    ? {
        rowBlock: blockSize * lanes,
        quadStep: stepSize * lanes,
        rowStep: lanes,
        columnBlock: block,
        columnStep: 1,
        size: blocks * block,
      }
    : {
        rowBlock: block,
        quadStep: 1,
        rowStep: lanes,
        columnBlock: lanes * blockSize,
        columnStep: blockSize,
        size: blocks * block,
      };
}

/** A matrix row after row, described in the same way; `line` vec4s, or other units, in a row. */
export function unpackedOf(rows: number, line: number): Packing {
  return {
    rowBlock: blockSize * line,
    quadStep: stepSize * line,
    rowStep: line,
    columnBlock: 8,
    columnStep: 1,
    size: rows * line,
  };
}

/** vec4s that one invocation copies: few invocations on a software adapter, where each costs as much to start as several loads. */
const packSteps = (x: Tensor): number => (x.device.adapter.software ? 32 : 4);

function definePack(entryPoint: "aligned" | "ragged", x: "x" | "x_scalars") {
  return defineKernel({
    name: "matmul/pack",
    source: packSource,
    entryPoint,
    bindings: [x, "out", "params"],
    grid: ({ size }) => linearGrid(size as number, 1),
  });
}

const packAligned = definePack("aligned", "x");
const packRagged = definePack("ragged", "x_scalars");

/** Copies the matrices in the order in which the kernel reads them. */
export function pack(x: Tensor, stack: Stack, label = "matmul/pack"): Tensor {
  const { matrices, rows, columns, step, across } = stack;
  const { blocks, steps } = blocksOf(stack);
  const shape = [matrices, blocks, steps, blockSize, 4];
  const out = Tensor.allocate("matmul", x.device, shape, x.dtype);
  const STEPS = packSteps(x);
  const parts = ceilDiv(steps, STEPS);
  const params = { rows, columns, matrix: step, blocks, steps, parts };
  const all = { ...params, size: matrices * blocks * parts };
  const options = { overrides: { ACROSS: Number(across), STEPS }, types: { T: x.dtype }, label };
  if (columns % 4 === 0) packAligned({ x, out }, all, options);
  else packRagged({ x_scalars: x, out }, all, options);
  return out;
}

const productKernel = defineKernel({
  name: "matmul/packed",
  source: packedSource,
  grid: ({ m, n, batch }: ParamValues) => {
    const tiles = ceilDiv(m as number, blockSize) * ceilDiv(n as number, blockSize);
    const [x, y] = linearGrid(tiles, 1);
    return [x, y, batch as number];
  },
});

/** `out[i] = a[i] b[i]` for `batch` packed matrices; `out` is [batch, m, n], and n a multiple of 4. */
export interface PackedProduct {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** All share one a. */
  readonly sharedA?: boolean;
  readonly sharedB?: boolean;
  /** The sums run down the columns of a as it was stored: a is [k, m]. */
  readonly transposeA: boolean;
  /** b is [n, k]. */
  readonly transposeB: boolean;
  /** [n], added to every row. */
  readonly bias?: Tensor | undefined;
  /** The row of `out` that the result begins at, where it is a part of one matrix. Default: 0. */
  readonly firstRow?: number;
  /** Name in profiles. Default: that of the kernel. */
  readonly label?: string | undefined;
}

/** Multiplies packed matrices. */
export function multiplyPacked(a: Tensor, b: Tensor, out: Tensor, product: PackedProduct): void {
  const { batch, m, n, k, sharedA = false, sharedB = false, transposeA, transposeB } = product;
  const { bias, firstRow: first = 0, label = "matmul/packed" } = product;
  const params = {
    ...{ m, n, steps: ceilDiv(k, stepSize), batch, first },
    a_batch: sharedA ? 0 : ceilDiv(m, blockSize),
    b_batch: sharedB ? 0 : ceilDiv(n, blockSize),
    ...{ a_across: Number(transposeA), b_across: Number(!transposeB) },
  };
  const options = {
    overrides: { BIAS: Number(bias !== undefined) },
    types: { T: a.dtype, O: out.dtype },
    label,
  };
  productKernel({ a, b, bias: bias ?? b, out }, params, options);
}

/**
 * The same for matrices as they are in memory, of any size: packs both first. `a` and `b` are stacks, or one matrix for all. Columns that fill
 * up the last vec4 of the result are cut off afterwards.
 */
export function packAndMultiply(
  a: Tensor,
  b: Tensor,
  out: Tensor,
  product: PackedProduct & { readonly aBatch: number; readonly bBatch: number },
): void {
  const { batch, m, n, k, aBatch, bBatch, transposeA, transposeB } = product;
  const [sharedA, sharedB] = [aBatch === 0, bBatch === 0];
  const packedA = pack(a, {
    ...{ matrices: sharedA ? 1 : batch, step: aBatch, across: transposeA },
    ...(transposeA ? { rows: k, columns: m } : { rows: m, columns: k }),
  });
  const packedB = pack(b, {
    ...{ matrices: sharedB ? 1 : batch, step: bBatch, across: !transposeB },
    ...(transposeB ? { rows: n, columns: k } : { rows: k, columns: n }),
  });
  const whole = { ...product, n: stepSize * ceilDiv(n, stepSize), sharedA, sharedB };
  if (whole.n === n) {
    multiplyPacked(packedA, packedB, out, whole);
    return;
  }
  const wider = Tensor.allocate("matmul", out.device, [batch, m, whole.n], out.dtype);
  multiplyPacked(packedA, packedB, wider, whole);
  copyStrided("matmul", wider, out, [
    { size: batch * m, xStride: whole.n, outStride: n },
    { size: n, xStride: 1, outStride: 1 },
  ]);
}
