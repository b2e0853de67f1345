/**
 * @file Winograd's convolution F(tile x tile, 3 x 3) as variants of the convolution and of both gradients, for 3 x 3 kernels with
 * stride 1. Transforms around a stack of matrix products, one for each position of a patch; nothing is fused, so the products
 * run at the speed of `matmul`. Method, errors and sources: `shaders/conv2d/winograd.wgsl`.
 */
import { ceilDiv } from "../../shape.ts";
import { Tensor } from "../../tensor.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import { matmulFamily, type MatmulProblem } from "../matmul-kernels.ts";
import type { Abilities, Operands, Variant } from "../variants.ts";
import type {
  ForwardTensors,
  ForwardVariant,
  InputGradientTensors,
  InputGradientVariant,
  WeightGradientTensors,
  WeightGradientVariant,
} from "./launch.ts";
import { canWinograd, winogradName } from "./winograd-choice.ts";
import {
  positionsOf,
  rowBytes,
  tilingOf,
  transformInput,
  transformOutput,
  transformOutputGradient,
  transformWeightGradient,
  transformWeights,
  type Corner,
  type Rows,
  type TileSize,
  type Tiling,
} from "./winograd-steps.ts";

/**
 * Bytes of transformed tiles, of both sides together, that are held at one time: what stays in the cache of a software adapter, but
 * not less than the transformed kernels take, because each pass reads all of these.
 */
function workspaceBytes({ adapter }: Abilities, kernelBytes: number): number {
  return Math.max((adapter.software ? 4 : 64) * 2 ** 20, kernelBytes);
}

/**
 * All rows of tiles in passes of one size that fit into the workspace, with rows below the last image to fill them up; `multiple` divides
 * the number of tiles of each.
 */
function passesOf(
  device: Abilities,
  tiling: Tiling,
  [m, n]: readonly [number, number],
  multiple: 1 | 4,
): Rows[] {
  const step = [1, 2, 4].find((rows) => (rows * tiling.tilesX) % multiple === 0) ?? multiple;
  const bytes = workspaceBytes(device, 4 * positionsOf(tiling.tile) * m * n);
  const fitting = Math.floor(bytes / rowBytes(tiling, m + n) / step);
  const total = tiling.images * tiling.tilesY;
  const passes = ceilDiv(ceilDiv(total, step), Math.max(1, fitting));
  // As even as can be.
  const count = step * ceilDiv(ceilDiv(total, step), passes);
  return Array.from({ length: ceilDiv(total, count) }, (_, i) => ({ first: i * count, count }));
}

/** A convolution of `x` with stride 1: tiles of `out` from patches of `x` that begin `corner` above and left of them. */
interface Convolution {
  readonly x: Tensor;
  /** Transformed kernels [positions, cin, cout]; the other way round for the input gradient. */
  readonly weights: Tensor;
  readonly transposed: boolean;
  readonly bias: Tensor | undefined;
  readonly out: Tensor;
  readonly corner: Corner;
}

function convolve(convolution: Convolution, tile: TileSize): void {
  const { x, weights, transposed, bias, out, corner } = convolution;
  const { device } = out;
  const [images = 0, height = 0, width = 0, n = 0] = out.shape;
  const k = x.shape[3] ?? 0;
  const batch = positionsOf(tile);
  const tiling = tilingOf(tile, images, height, width);
  const passes = passesOf(device, tiling, [k, n], 1);
  const m = (passes[0]?.count ?? 0) * tiling.tilesX;
  const patches = Tensor.allocate("conv2d", device, [batch, m, k], "f32");
  const products = Tensor.allocate("conv2d", device, [batch, m, n], "f32");
  for (const rows of passes) {
    transformInput(x, patches, tiling, corner, rows);
    multiply(patches, weights, products, { m, n, k, transposeA: false, transposeB: transposed });
    transformOutput(products, bias, out, tiling, rows);
  }
}

type Product = Pick<MatmulProblem, "m" | "n" | "k" | "transposeA" | "transposeB">;

/** `out[position] = a[position] b[position]`. */
function multiply(a: Tensor, b: Tensor, out: Tensor, product: Product): void {
  const { m, n, k } = product;
  const batch = out.shape[0] ?? 0;
  const strides = { aBatch: m * k, bBatch: k * n };
  const label = "conv2d-winograd/products";
  matmulFamily.run(out.device, { a, b, out }, { batch, ...strides, ...product, label });
}

function variant<T extends Operands>(
  tile: TileSize,
  run: (tensors: T, geometry: Geometry) => void,
): Variant<T, Geometry> {
  const canRun = (_device: Abilities, geometry: Geometry): boolean => canWinograd(tile, geometry);
  return { name: winogradName(tile), canRun, run };
}

/** F(tile x tile, 3 x 3) of the convolution. */
export function winogradForward(tile: TileSize): ForwardVariant {
  const run = ({ x, w, bias, out }: ForwardTensors, { pad }: Geometry): void => {
    const weights = transformWeights(w, tile, false);
    convolve({ x, weights, transposed: false, bias, out, corner: pad }, tile);
  };
  return variant(tile, run);
}

/**
 * F(tile x tile, 3 x 3) of the input gradient, a convolution of dy with the kernels turned round:
 * `dx[y] = sum over k of dy[y + pad - k] w[k] = sum over k of dy[y - (2 - pad) + k] w[2 - k]`.
 */
export function winogradInputGradient(tile: TileSize): InputGradientVariant {
  const run = ({ dy, w, dx }: InputGradientTensors, { pad }: Geometry): void => {
    const weights = transformWeights(w, tile, true);
    const corner = [2 - pad[0], 2 - pad[1]] as const;
    convolve({ x: dy, weights, transposed: true, bias: undefined, out: dx, corner }, tile);
  };
  return variant(tile, run);
}

/**
 * F(tile x tile, 3 x 3) of the weights' gradient: every step of the convolution transposed, in the other order. The sum over tiles
 * is that of the matrix products; sums of several passes are added in their order.
 */
export function winogradWeightGradient(tile: TileSize): WeightGradientVariant {
  const run = ({ x, dy, dw }: WeightGradientTensors, { pad }: Geometry): void => {
    const { device } = dw;
    const [images = 0, height = 0, width = 0, n = 0] = dy.shape;
    const m = x.shape[3] ?? 0;
    const batch = positionsOf(tile);
    const tiling = tilingOf(tile, images, height, width);
    const passes = passesOf(device, tiling, [m, n], 4);
    const k = (passes[0]?.count ?? 0) * tiling.tilesX;
    const allocate = (...shape: number[]): Tensor =>
      Tensor.allocate("conv2dWeightGradient", device, shape, "f32");
    const patches = allocate(batch, k, m);
    const gradients = allocate(batch, k, n);
    const products = allocate(batch, m, n);
    let sums: Tensor | undefined;
    for (const [i, rows] of passes.entries()) {
      transformInput(x, patches, tiling, pad, rows);
      transformOutputGradient(dy, gradients, tiling, rows);
      multiply(patches, gradients, products, { m, n, k, transposeA: true, transposeB: false });
      const total = i === passes.length - 1 ? dw : allocate(dw.size);
      transformWeightGradient(products, sums, total, tile);
      sums?.release();
      sums = total;
    }
  };
  return variant(tile, run);
}
