/** @file Matrix products by tiles in workgroup memory, the variants for GPUs. WGSL: `shaders/matmul/tiled.wgsl`. */
import tiledSource from "../../../shaders/matmul/tiled.wgsl";
import { defineKernel, linearGrid, type Kernel } from "../../kernel.ts";
import { ceilDiv } from "../../shape.ts";
import type { MatmulProblem, MatmulVariant } from "../matmul-kernels.ts";
import {
  canTile,
  runTiled,
  tilings,
  workgroupTile,
  type TiledProduct,
  type Tiling,
} from "../workgroup-tiles.ts";

/** Tiles lie in x, spilling into y; each part of each matrix of the batch is a layer in z. */
function defineTiled(name: string, entryPoint: string, out: string): Kernel {
  return defineKernel({
    ...{ name, entryPoint, source: tiledSource },
    bindings: ["a", "a_scalars", "b", "b_scalars", out, "params"],
    grid: (params, { OWN_ROWS = 8 }) => {
      const { m = 0, n = 0, batch = 0, parts = 1 } = params as Readonly<Record<string, number>>;
      const [x, y] = linearGrid(ceilDiv(m, 8 * OWN_ROWS) * ceilDiv(n, workgroupTile), 1);
      return [x, y, batch * parts];
    },
  });
}

const vectorKernel = defineTiled("matmul/tiled", "main", "out");
const raggedKernel = defineTiled("matmul/tiled-ragged", "ragged", "out_scalars");

/** A product as its tiles see it. */
export function tiledProductOf({ batch, m, n, k }: MatmulProblem): TiledProduct {
  return { batch, rows: m, columns: n, k };
}

function variant(tiling: Tiling): MatmulVariant {
  return {
    name: tiling.name,
    canRun: (device, problem) => canTile(tiling, device, tiledProductOf(problem)),
    run: ({ a, b, out }, problem) => {
      const { batch, m, n, k, aBatch, bBatch, transposeA, transposeB } = problem;
      const overrides = {
        ...{ TRANSPOSE_A: Number(transposeA), TRANSPOSE_B: Number(transposeB) },
        VECTORS_A: Number((transposeA ? m : k) % 4 === 0),
        VECTORS_B: Number((transposeB ? k : n) % 4 === 0),
        OWN_ROWS: tiling.ownRows,
      };
      const kernel = n % 4 === 0 ? vectorKernel : raggedKernel;
      runTiled("matmul", out, tiling, tiledProductOf(problem), (sums, parts) => {
        const tensors = { a, a_scalars: a, b, b_scalars: b, out: sums, out_scalars: sums };
        const params = { m, n, k, a_batch: aBatch, b_batch: bBatch, batch, parts };
        kernel(tensors, params, { overrides, types: { T: a.dtype, O: sums.dtype } });
      });
    },
  };
}

/** `tiled`, `tiled-32` and `split-k`: any sizes. */
export const tiledVariants: readonly MatmulVariant[] = tilings.map(variant);
