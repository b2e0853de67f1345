/** @file Products of matrices: squares, and what a classifier's last layer needs forward and backward. */
import { matmul, type Device, type MatmulOptions } from "../../engine/index.ts";
import { matmulFamily, type MatmulProblem } from "../../engine/ops/matmul-kernels.ts";
import type { BenchCase } from "../case.ts";
import { at, input } from "./inputs.ts";

/** `[m, k] [k, n]`. */
export interface Product extends MatmulOptions {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly note?: string;
}

const squares = [256, 512, 1024, 2048].map((n): Product => ({ m: n, n, k: n }));

/** A linear layer, `x [batch, in]` and `weight [out, in]`: the product, and its gradients `dy weight` and `dy^T x`. */
function linear(batch: number, inFeatures: number, outFeatures: number): readonly Product[] {
  const layer = `linear ${inFeatures} -> ${outFeatures}`;
  return [
    { m: batch, n: outFeatures, k: inFeatures, transposeB: true, note: layer },
    { m: batch, n: inFeatures, k: outFeatures, note: `${layer} dx` },
    { m: outFeatures, n: inFeatures, k: batch, transposeA: true, note: `${layer} dw` },
  ];
}

const products: readonly Product[] = [
  ...squares,
  ...linear(64, 784, 128),
  ...linear(8, 512, 37),
  ...linear(64, 512, 10),
  ...linear(64, 512, 1000),
];

export function productCase(product: Product): BenchCase {
  const { m, n, k, transposeA = false, transposeB = false, note } = product;
  const problem: MatmulProblem = {
    ...{ batch: 1, m, n, k, aBatch: 0, bBatch: 0, transposeA, transposeB },
  };
  const layout = `${transposeA ? "t" : "n"}${transposeB ? "t" : "n"}`;
  const operands = m * k + k * n + m * n;
  return {
    suite: "matmul",
    op: "matmul",
    shape: `${m} x ${n} x ${k} ${layout}${note === undefined ? "" : ` (${note})`}`,
    family: "matmul",
    work: { bound: "compute", flops: 2 * m * n * k, bytes: 4 * operands },
    variants: (device) => matmulFamily.candidates(device, problem),
    prepare: (device: Device) => {
      const a = input(device, transposeA ? [k, m] : [m, k], 1);
      const b = input(device, transposeB ? [n, k] : [k, n], 2);
      const expected = (index: number): number => {
        const [i, j] = [Math.floor(index / n), index % n];
        let sum = 0;
        for (let p = 0; p < k; p++) {
          const left = at(a.values, transposeA ? p * m + i : i * k + p);
          sum += left * at(b.values, transposeB ? j * k + p : p * n + j);
        }
        return sum;
      };
      return {
        run: () => matmul(a.tensor, b.tensor, { transposeA, transposeB }),
        check: { expected, samples: 512, tolerance: 1e-4 },
      };
    },
  };
}

export function matmulCases(): readonly BenchCase[] {
  return products.map(productCase);
}
