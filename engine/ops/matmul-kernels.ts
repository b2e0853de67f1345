/** @file The kernels of the matrix product and the choice among them. WGSL: `shaders/matmul/`. */
import naiveSource from "../../shaders/matmul/naive.wgsl";
import registerSource from "../../shaders/matmul/register.wgsl";
import subgroupSource from "../../shaders/matmul/subgroup.wgsl";
import { defineKernel, linearGrid, type Overrides, type ShaderSource } from "../kernel.ts";
import { ceilDiv } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { canMultiplyPacked, canPack, packAndMultiply } from "./matmul/packed.ts";
import { tiledProductOf, tiledVariants } from "./matmul/tiled.ts";
import { defineFamily, type Abilities, type Variant } from "./variants.ts";
import { preferredTilings } from "./workgroup-tiles.ts";

/** `out[i] = a[i] b[i]` for `batch` matrices of m x k and k x n. */
export interface MatmulProblem {
  readonly batch: number;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  /** Elements from one matrix of `a` to the next; 0 where all share one. */
  readonly aBatch: number;
  readonly bBatch: number;
  /** `a` is stored k x m. */
  readonly transposeA: boolean;
  /** `b` is stored n x k. */
  readonly transposeB: boolean;
  /** Name in profiles, where the product is part of something else. Default: the kernel's name. */
  readonly label?: string;
}

/** The tensors have one real type. */
export interface MatmulTensors extends Readonly<Record<string, Tensor>> {
  readonly a: Tensor;
  readonly b: Tensor;
  readonly out: Tensor;
}

export type MatmulVariant = Variant<MatmulTensors, MatmulProblem>;

/** Lanes of a subgroup in `subgroup.wgsl`. */
const lanes = 8;

type Workgroups = (m: number, n: number, overrides: Readonly<Record<string, number>>) => number;

interface VariantDefinition {
  readonly name: string;
  readonly source: ShaderSource;
  readonly workgroups: Workgroups;
  readonly canRun: MatmulVariant["canRun"];
  readonly overrides?: (problem: MatmulProblem) => Overrides;
}

/** Workgroups lie in x, spilling into y; each matrix of the batch is a layer in z. */
function define({ name, source, workgroups, canRun, overrides }: VariantDefinition): MatmulVariant {
  const kernel = defineKernel({
    name: `matmul/${name}`,
    source,
    grid: (params, resolved) => {
      const { m = 0, n = 0, batch = 0 } = params as Readonly<Record<string, number>>;
      const [x, y] = linearGrid(workgroups(m, n, resolved), 1);
      return [x, y, batch];
    },
  });
  const run = ({ a, b, out }: MatmulTensors, problem: MatmulProblem): void => {
    const { batch, m, n, k, aBatch, bBatch, transposeA, transposeB, label } = problem;
    const transposes = { TRANSPOSE_A: Number(transposeA), TRANSPOSE_B: Number(transposeB) };
    const params = { m, n, k, a_batch: aBatch, b_batch: bBatch, batch, parts: 1 };
    kernel({ a, b, out }, params, {
      overrides: { ...transposes, ...overrides?.(problem) },
      types: { T: out.dtype },
      label,
    });
  };
  return { name, canRun, run };
}

const tiles =
  (rows: number, columns: number): Workgroups =>
  (m, n) =>
    ceilDiv(m, rows) * ceilDiv(n, columns);

const always = (): boolean => true;

/** vec4s along k, n and, where it is stored contiguously, m. */
const comesInVectors = ({ m, n, k, transposeA }: MatmulProblem): boolean =>
  k % 4 === 0 && n % 4 === 0 && (!transposeA || m % 4 === 0);

const naive = define({
  name: "naive",
  source: naiveSource,
  workgroups: (m, n) => ceilDiv(m * n, 64),
  canRun: always,
});

const register = define({
  name: "register",
  source: registerSource,
  workgroups: tiles(32, 32),
  canRun: (_device, problem) => comesInVectors(problem),
});

const subgroup = define({
  name: "subgroup",
  source: subgroupSource,
  workgroups: (m, n, { COLUMN_GROUPS = 8 }) => tiles(32, 4 * COLUMN_GROUPS)(m, n, {}),
  canRun: (device, problem) => device.hasSubgroupsOf(lanes) && comesInVectors(problem),
  overrides: ({ n }) => ({ COLUMN_GROUPS: n <= 16 ? 4 : 8 }),
});

/** Any sizes: what is missing to whole vec4s is filled up as it is packed. */
const packed: MatmulVariant = {
  name: "packed",
  canRun: (device, { batch, m, n, k, aBatch, bBatch }) =>
    canMultiplyPacked(device) &&
    canPack(aBatch === 0 ? 1 : batch, m, k) &&
    canPack(bBatch === 0 ? 1 : batch, n, k),
  run: ({ a, b, out }, problem) => {
    packAndMultiply(a, b, out, problem);
  },
};

/**
 * Packing copies a and b; the product gains by every multiplication, but little where rows are short: it pays where m n / (m + n) and k
 * are this much. Where sizes do not come in vec4s the other choice is `naive`, and packing pays as soon as that takes longer than a few
 * dispatches, unless the result is so thin that a tile of 32 x 32 is filled up with more than it holds.
 */
const worthPacking = { size: 320, length: 256, multiplications: 2 ** 20, thinnest: 16 };

function paysToPack(problem: MatmulProblem): boolean {
  const { batch, m, n, k } = problem;
  return comesInVectors(problem)
    ? (m * n) / (m + n) >= worthPacking.size && k >= worthPacking.length
    : batch * m * n * k >= worthPacking.multiplications && Math.min(m, n) >= worthPacking.thinnest;
}

/** Fewer elements than a tile of workgroup memory has leave most of it idle: then many invocations count for more. */
function preferOnGpu(device: Abilities, problem: MatmulProblem): readonly string[] {
  const tiled = preferredTilings(device, tiledProductOf(problem));
  const { m, n } = problem;
  if (m * n >= 64 * 64) return [...tiled, "register", "naive"];
  // Not even these are many where the sums are long.
  return ["split-k", "naive", "register", ...tiled];
}

/**
 * On software adapters loads are what costs: `subgroup` and `packed` need the fewest of them, then `register`, and workgroup memory gains
 * nothing. Figures: docs/rejected-experiments.md.
 */
function prefer(device: Abilities, problem: MatmulProblem): readonly string[] {
  if (!device.adapter.software) return preferOnGpu(device, problem);
  if (paysToPack(problem)) return ["packed", "register", "naive"];
  // Of a tile of 32 rows, 4 are enough to pay.
  return problem.m >= 4 ? ["subgroup", "register", "naive"] : ["register", "subgroup", "naive"];
}

function describe({
  batch,
  m,
  n,
  k,
  aBatch,
  bBatch,
  transposeA,
  transposeB,
}: MatmulProblem): string {
  const layout = `${transposeA ? "t" : "n"}${transposeB ? "t" : "n"}`;
  const shared = `${aBatch === 0 ? " shared a" : ""}${bBatch === 0 ? " shared b" : ""}`;
  return `${m}x${n}x${k} ${layout}${batch === 1 ? "" : ` batch ${batch}${shared}`}`;
}

export const matmulFamily = defineFamily<MatmulTensors, MatmulProblem>({
  name: "matmul",
  variants: [naive, ...tiledVariants, register, subgroup, packed],
  prefer,
  describe,
});
