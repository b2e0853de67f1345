/**
 * @file Winograd's convolution F(tile x tile, 3 x 3) as variants of the convolution and of both gradients, for 3 x 3 kernels with
 * stride 1. Transforms around a stack of matrix products, one for each position of a patch; nothing is fused, so the products
 * run at the speed of `matmul`. Method, errors and sources: `shaders/conv2d/winograd.wgsl`.
 */
import { ceilDiv } from "../../shape.ts";
import { Tensor } from "../../tensor.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import { matmulFamily, type MatmulProblem } from "../matmul-kernels.ts";
import { canMultiplyPacked, multiplyPacked } from "../matmul/packed.ts";
import { tileRows } from "./launch.ts";
import type { Abilities, Operands, Variant } from "../variants.ts";
import type {
  ForwardTensors,
  ForwardVariant,
  InputGradientTensors,
  InputGradientVariant,
  WeightGradientTensors,
  WeightGradientVariant,
} from "./launch.ts";
import { canWinograd, storedChannels, winogradName } from "./winograd-choice.ts";
import {
  allocateMatrices,
  positionsOf,
  rowBytes,
  tilingOf,
  transformInput,
  transformOutput,
  transformOutputGradient,
  transformWeightGradient,
  transformWeights,
  type Corner,
  type Matrices,
  type Order,
  type Rows,
  type TileSize,
  type Tiling,
} from "./winograd-steps.ts";

/** Bytes of transformed tiles, of both sides together, that are held at one time. */
interface Workspace {
  readonly software: number;
  readonly gpu: number;
}

const mebibyte = 2 ** 20;

/** On a software adapter more than this gains nothing. */
const convolutionWorkspace: Workspace = { software: 4 * mebibyte, gpu: 64 * mebibyte };

/** Each pass of the weights' gradient goes through all kernels, so fewer passes are better: 28 x 28 x 128 14 instead of 23 ms. */
const gradientWorkspace: Workspace = { software: 16 * mebibyte, gpu: 64 * mebibyte };

/** What the passes over a batch must keep to. */
interface PassRules {
  readonly workspace: Workspace;
  /** Channels of both sides, as they are stored. */
  readonly channels: readonly [number, number];
  /** Divides the number of tiles of a pass. */
  readonly multiple: 1 | 4;
  /** Tiles that take as long as one. */
  readonly grain: number;
  /** Tiles that take as long as what a pass costs beside them. */
  readonly perPass: number;
}

/**
 * All rows of tiles in passes of one size that fit into the workspace, with rows below the last image to fill them up: of the sizes
 * from the largest to half of it the one with which the products take least time.
 */
function passesOf(device: Abilities, tiling: Tiling, rules: PassRules): Rows[] {
  const { workspace, channels, multiple, grain, perPass } = rules;
  const { tile, tilesX, tilesY, images } = tiling;
  const step = [1, 2, 4].find((rows) => (rows * tilesX) % multiple === 0) ?? multiple;
  // Not less than the transformed kernels take, because each pass reads all of these.
  const bytes = Math.max(
    device.adapter.software ? workspace.software : workspace.gpu,
    4 * positionsOf(tile) * channels[0] * channels[1],
  );
  const rowsThatFit = bytes / rowBytes(tiling, channels[0] + channels[1]);
  const total = ceilDiv(images * tilesY, step);
  const most = Math.max(1, Math.min(total, Math.floor(rowsThatFit / step)));
  const time = (steps: number): number =>
    ceilDiv(total, steps) * (perPass + grain * ceilDiv(steps * step * tilesX, grain));
  let best = most;
  for (let steps = most; steps >= most / 2; steps--) if (time(steps) < time(best)) best = steps;
  const count = step * best;
  return Array.from({ length: ceilDiv(total, best) }, (_, i) => ({ first: i * count, count }));
}

/** A convolution of `x` with stride 1: tiles of `out` from patches of `x` that begin `corner` above and left of them. */
interface Convolution {
  readonly x: Tensor;
  /** Transformed kernels [cin, cout]; the other way round for the input gradient. */
  readonly weights: Matrices;
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
  const tiling = tilingOf(tile, images, height, width);
  const rules = { channels: [k, n], multiple: 1, grain: tileRows, perPass: 4 } as const;
  const passes = passesOf(device, tiling, { workspace: convolutionWorkspace, ...rules });
  const m = (passes[0]?.count ?? 0) * tiling.tilesX;
  const patches = allocateMatrices("conv2d", x, tile, [m, k], orderOf(device, "along"));
  const products = allocateMatrices("conv2d", out, tile, [m, n], "rows");
  for (const rows of passes) {
    transformInput(x, patches, tiling, corner, rows);
    multiply(patches, weights, products, { m, n, k, transposeA: false, transposeB: transposed });
    transformOutput(products, bias, out, tiling, rows);
  }
}

type Product = Pick<MatmulProblem, "m" | "n" | "k" | "transposeA" | "transposeB">;

/** GPUs multiply matrices as they are, in workgroup memory. */
function packs(device: Abilities): boolean {
  return device.adapter.software && canMultiplyPacked(device);
}

/** How the factors of the products are stored. */
function orderOf(device: Abilities, packed: "along" | "across"): Order {
  return packs(device) ? packed : "rows";
}

/** `out[position] = a[position] b[position]`. */
function multiply(
  { values: a }: Matrices,
  { values: b }: Matrices,
  { values: out }: Matrices,
  product: Product,
): void {
  const { m, n, k } = product;
  const batch = out.shape[0] ?? 0;
  const label = "conv2d-winograd/products";
  if (packs(out.device)) {
    multiplyPacked(a, b, out, { batch, ...product, label });
  } else {
    const strides = { aBatch: m * k, bBatch: k * n };
    matmulFamily.run(out.device, { a, b, out }, { batch, ...strides, ...product, label });
  }
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
    const weights = transformWeights(w, tile, false, orderOf(w.device, "across"));
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
    const weights = transformWeights(w, tile, true, orderOf(w.device, "along"));
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
    const tiling = tilingOf(tile, images, height, width);
    const channels = [storedChannels(m), storedChannels(n)] as const;
    const rules = { channels, multiple: 4, grain: 4, perPass: 30 } as const;
    const passes = passesOf(device, tiling, { workspace: gradientWorkspace, ...rules });
    const k = (passes[0]?.count ?? 0) * tiling.tilesX;
    const op = "conv2dWeightGradient";
    const patches = allocateMatrices(op, x, tile, [k, m], orderOf(device, "across"));
    const gradients = allocateMatrices(op, dy, tile, [k, n], orderOf(device, "across"));
    const products = allocateMatrices(op, dw, tile, [m, n], "rows");
    let sums: Tensor | undefined;
    for (const [i, rows] of passes.entries()) {
      transformInput(x, patches, tiling, pad, rows);
      transformOutputGradient(dy, gradients, tiling, rows);
      multiply(patches, gradients, products, { m, n, k, transposeA: true, transposeB: false });
      const total = i === passes.length - 1 ? dw : Tensor.allocate(op, device, dw.shape, "f32");
      transformWeightGradient(products, sums, total, tile);
      sums?.release();
      sums = total;
    }
  };
  return variant(tile, run);
}
