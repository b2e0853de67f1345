/** @file The kernels of the matrix product and the choice among them. WGSL: `shaders/matmul/`. */
import naiveSource from "../../shaders/matmul/naive.wgsl";
import registerSource from "../../shaders/matmul/register.wgsl";
import subgroupSource from "../../shaders/matmul/subgroup.wgsl";
import tiledSource from "../../shaders/matmul/tiled.wgsl";
import { defineKernel, linearGrid, type Kernel, type ShaderSource } from "../kernel.ts";
import { ceilDiv } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { chooseVariant, type Abilities, type Candidates } from "./variants.ts";

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
}

export type MatmulVariant = "naive" | "tiled" | "register" | "subgroup";

/** Lanes of a subgroup in `subgroup.wgsl`. */
const lanes = 8;

type Workgroups = (m: number, n: number, overrides: Readonly<Record<string, number>>) => number;

/** Workgroups lie in x, spilling into y; each matrix of the batch is a layer in z. */
function define(variant: MatmulVariant, source: ShaderSource, workgroups: Workgroups): Kernel {
  return defineKernel({
    name: `matmul/${variant}`,
    source,
    grid: (params, overrides) => {
      const { m = 0, n = 0, batch = 0 } = params as Readonly<Record<string, number>>;
      const [x, y] = linearGrid(workgroups(m, n, overrides), 1);
      return [x, y, batch];
    },
  });
}

const tiles =
  (rows: number, columns: number): Workgroups =>
  (m, n) =>
    ceilDiv(m, rows) * ceilDiv(n, columns);

const kernels: Readonly<Record<MatmulVariant, Kernel>> = {
  naive: define("naive", naiveSource, (m, n) => ceilDiv(m * n, 64)),
  tiled: define("tiled", tiledSource, tiles(64, 64)),
  register: define("register", registerSource, tiles(32, 32)),
  subgroup: define("subgroup", subgroupSource, (m, n, { COLUMN_GROUPS = 8 }) =>
    tiles(32, 4 * COLUMN_GROUPS)(m, n, {}),
  ),
};

/**
 * The variants that can run the problem, the one expected to be fastest first. On software adapters loads are what costs:
 * `subgroup` needs the fewest of them, then `register`, and workgroup memory gains nothing. On GPUs `tiled` does, once there is
 * more than one tile; below that many invocations count for more. Figures: docs/rejected-experiments.md.
 */
export function matmulVariants(
  device: Abilities,
  problem: Pick<MatmulProblem, "m" | "n" | "k" | "transposeA">,
): Candidates<MatmulVariant> {
  const { m, n, k, transposeA } = problem;
  // vec4s along k, n and, where it is stored contiguously, m.
  const aligned = k % 4 === 0 && n % 4 === 0 && (!transposeA || m % 4 === 0);
  const register: MatmulVariant[] = aligned ? ["register"] : [];
  if (!device.adapter.software) {
    return m * n >= 64 * 64 ? ["tiled", ...register, "naive"] : ["naive", ...register, "tiled"];
  }
  if (!aligned) return ["naive", "tiled"];
  if (!device.hasSubgroupsOf(lanes)) return ["register", "naive", "tiled"];
  // Of a tile of 32 rows, 4 are enough to pay.
  return m >= 4
    ? ["subgroup", "register", "naive", "tiled"]
    : ["register", "subgroup", "naive", "tiled"];
}

/** Records the kernel that fills `out`; the tensors have one real type. */
export function launchMatmul(a: Tensor, b: Tensor, out: Tensor, problem: MatmulProblem): void {
  const { batch, m, n, k, aBatch, bBatch, transposeA, transposeB } = problem;
  const variant = chooseVariant("matmul", matmulVariants(out.device, problem));
  const overrides = {
    TRANSPOSE_A: Number(transposeA),
    TRANSPOSE_B: Number(transposeB),
    ...(variant === "subgroup" && { COLUMN_GROUPS: n <= 16 ? 4 : 8 }),
  };
  const params = { m, n, k, a_batch: aBatch, b_batch: bBatch, batch };
  kernels[variant]({ a, b, out }, params, { overrides, types: { T: out.dtype } });
}
