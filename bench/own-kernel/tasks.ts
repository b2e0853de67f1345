/**
 * @file What a kernel of one's own may compute. Each task names its tensors and parameters, and has problems on both sides of usual
 * tiles: awkward ones to be right at, others to be timed at as well.
 */
import { softmax, sum, type Device, type Tensor } from "../../engine/index.ts";
import { convolutionGeometry, type Geometry } from "../../engine/ops/conv2d-geometry.ts";
import { paramsOf } from "../../engine/ops/conv2d/launch.ts";
import type { MatmulProblem } from "../../engine/ops/matmul-kernels.ts";
import { observeProblems } from "../../engine/ops/variants.ts";
import type { BenchCase, Prepared } from "../case.ts";
import { convolutionCasesOf, type Convolution } from "../suites/convolution.ts";
import { at, input } from "../suites/inputs.ts";
import { productCase } from "../suites/matmul.ts";
import { memoryCase } from "../suites/memory-case.ts";
import type { Interface } from "./own-kernel.ts";
import type { Names } from "./workgroups.ts";

/** Inputs, output and parameters of one problem, by the names of the task. */
export interface Operands {
  readonly tensors: Readonly<Record<string, Tensor>>;
  readonly params: Names;
}

export interface TaskCase {
  readonly benchCase: BenchCase;
  /** To be right at, not to be timed at. */
  readonly awkward: boolean;
  /** The inputs that `prepared` uses. The output is any tensor of its shape. */
  operands(device: Device, prepared: Prepared): Operands;
}

export interface Task extends Interface {
  readonly name: string;
  /** The formula. */
  readonly meaning: string;
  readonly cases: readonly TaskCase[];
}

const matmulSizes: readonly (readonly [m: number, n: number, k: number])[] = [
  [33, 20, 28],
  [65, 67, 31],
  [256, 256, 256],
  [512, 512, 512],
];

const matmul: Task = {
  name: "matmul",
  meaning: "out[i, j] = sum over p of a[i, p] b[p, j]; a [m, k], b [k, n], out [m, n]",
  tensors: ["a", "b", "out"],
  params: ["m", "n", "k"],
  cases: matmulSizes.map(([m, n, k], i) => ({
    benchCase: productCase({ m, n, k }),
    awkward: i < 2,
    operands: (_device, prepared) =>
      observed(prepared, (problem) => {
        const sizes = problem as MatmulProblem;
        return { m: sizes.m, n: sizes.n, k: sizes.k };
      }),
  })),
};

const convolutions: readonly Convolution[] = [
  { x: [2, 9, 7, 12], w: [3, 3, 12, 20], options: { padding: 1 } },
  { x: [2, 9, 10, 8], w: [3, 3, 8, 36], options: { stride: 2, padding: 1 } },
  { x: [8, 16, 16, 64], w: [3, 3, 64, 64], options: { padding: 1 } },
  { x: [8, 4, 4, 256], w: [3, 3, 256, 256], options: { padding: 1 } },
];

/** Those of `shaders/conv2d/geometry.wgsl` that describe the convolution. */
const geometryParams = Object.keys(
  paramsOf(convolutionGeometry("bench", [1, 1, 1, 1], [1, 1, 1, 1], {})),
).filter((name) => !/^(phase|tap|shift|part)/.test(name));

function convolutionTask(
  name: string,
  op: string,
  tensors: readonly string[],
  meaning: string,
): Task {
  const cases = convolutions.map((convolution, i): TaskCase => {
    const benchCase = convolutionCasesOf(convolution, "own").find((c) => c.op === op);
    if (benchCase === undefined) throw new Error(`benchmark: there is no case for ${op}`);
    const operands = (_device: Device, prepared: Prepared): Operands =>
      observed(prepared, (problem) => paramsOf(problem as Geometry));
    return { benchCase, awkward: i < 2, operands };
  });
  return { name, meaning, tensors, params: geometryParams, cases };
}

/** What the engine passes to its own kernels when the case runs. */
function observed(prepared: Prepared, paramsFor: (problem: unknown) => Names): Operands {
  let found: Operands | undefined;
  const stop = observeProblems((_family, tensors, problem) => {
    found ??= { tensors: tensors as Operands["tensors"], params: paramsFor(problem) };
  });
  try {
    prepared.run();
  } finally {
    stop();
  }
  if (found === undefined) throw new Error("benchmark: the case runs no family of kernels");
  return found;
}

const rowSizes: readonly (readonly [rows: number, columns: number])[] = [
  [3, 5],
  [130, 67],
  [64, 1000],
  [8192, 64],
];

/** Tasks on the rows of a matrix, with the same inputs for ours and theirs. */
function rowTask(
  name: string,
  meaning: string,
  ours: (x: Tensor) => Tensor,
  expected: (row: Float32Array, column: number) => number,
  outColumns: (columns: number) => number,
): Task {
  const cases = rowSizes.map(([rows, columns], i): TaskCase => {
    const width = outColumns(columns);
    const benchCase = memoryCase({
      ...{ suite: name, op: name, shape: `${rows} x ${columns}` },
      numbers: rows * columns + rows * width,
      prepare: (device) => {
        const x = input(device, [rows, columns], 1);
        const wanted = (index: number): number => {
          const first = Math.floor(index / width) * columns;
          return expected(x.values.subarray(first, first + columns), index % width);
        };
        return {
          run: () => ours(x.tensor),
          check: { expected: wanted, samples: 256, tolerance: 1e-4 },
        };
      },
    });
    const operands = (device: Device, prepared: Prepared): Operands => {
      const x = input(device, [rows, columns], 1).tensor;
      return { tensors: { x, out: prepared.run() }, params: { rows, columns } };
    };
    return { benchCase, awkward: i < 2, operands };
  });
  return { name, meaning, tensors: ["x", "out"], params: ["rows", "columns"], cases };
}

function softmaxOf(row: Float32Array, column: number): number {
  const largest = row.reduce((a, b) => Math.max(a, b));
  const total = row.reduce((sum, value) => sum + Math.exp(value - largest), 0);
  return Math.exp(at(row, column) - largest) / total;
}

export const tasks: readonly Task[] = [
  matmul,
  convolutionTask(
    "conv2d",
    "conv2d",
    ["x", "w", "out"],
    "out[n, oy, ox, co] = sum of x[n, iy, ix, ci] w[ky, kx, ci, co], iy = oy stride_y + ky - pad_top",
  ),
  convolutionTask(
    "conv2d-input-gradient",
    "conv2d dx",
    ["dy", "w", "dx"],
    "dx = the gradient of conv2d with respect to x, from dy of the shape of out",
  ),
  convolutionTask(
    "conv2d-weight-gradient",
    "conv2d dw",
    ["x", "dy", "dw"],
    "dw = the gradient of conv2d with respect to w, from dy of the shape of out",
  ),
  rowTask(
    "softmax",
    "out[i, j] = exp(x[i, j]) / sum over p of exp(x[i, p]); x and out [rows, columns]",
    (x) => softmax(x),
    softmaxOf,
    (columns) => columns,
  ),
  rowTask(
    "reduce",
    "out[i] = sum over j of x[i, j]; x [rows, columns], out [rows]",
    (x) => sum(x, -1),
    (row) => row.reduce((total, value) => total + value, 0),
    () => 1,
  ),
];
