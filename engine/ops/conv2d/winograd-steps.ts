/**
 * @file The steps of Winograd's convolution around its matrix products, each one dispatch: transforms of images, kernels and results,
 * and of their gradients. Method and matrices: `shaders/conv2d/winograd.wgsl`; tiles and strips:
 * `shaders/conv2d/winograd-tiles.wgsl`.
 */
import inputSource from "../../../shaders/conv2d/winograd-input.wgsl";
import outputGradientSource from "../../../shaders/conv2d/winograd-output-gradient.wgsl";
import outputSource from "../../../shaders/conv2d/winograd-output.wgsl";
import weightGradientSource from "../../../shaders/conv2d/winograd-weight-gradient.wgsl";
import weightsSource from "../../../shaders/conv2d/winograd-weights.wgsl";
import type { DType } from "../../dtype.ts";
import {
  defineKernel,
  linearGrid,
  type Kernel,
  type KernelOptions,
  type ParamValues,
  type ShaderSource,
} from "../../kernel.ts";
import { ceilDiv } from "../../shape.ts";
import { Tensor } from "../../tensor.ts";
import { packingOf, unpackedOf, type Packing } from "../matmul/packed.ts";

/** Results along the side of a tile. */
export type TileSize = 2 | 4;

/** Of a row or a column of a kernel. */
const taps = 3;

/** Values of the transform of one tile or one kernel: (tile + 2)^2. */
export function positionsOf(tile: TileSize): number {
  return (tile + 2) ** 2;
}

/** How images are cut into tiles. */
export interface Tiling {
  readonly tile: TileSize;
  readonly images: number;
  /** Rows of tiles of an image. */
  readonly tilesY: number;
  /** Tiles of a row. */
  readonly tilesX: number;
}

export function tilingOf(tile: TileSize, images: number, height: number, width: number): Tiling {
  return { tile, images, tilesY: ceilDiv(height, tile), tilesX: ceilDiv(width, tile) };
}

/** Bytes of a row of tiles, transformed. */
export function rowBytes({ tile, tilesX }: Tiling, channels: number): number {
  return 4 * positionsOf(tile) * tilesX * channels;
}

/** Rows of tiles that are worked on at once. */
export interface Rows {
  readonly first: number;
  readonly count: number;
}

/** Corner of the first tile relative to that of the image: rows above it and columns left of it. */
export type Corner = readonly [above: number, left: number];

const itself: Corner = [0, 0];

/**
 * Software adapters compute with 4 channels and go along rows; workgroups are as small as a subgroup, because larger ones were
 * slower. GPUs have an invocation for each channel and tile: a patch of vec4s would take most registers of a GPU.
 */
function shapeOfWork({ device }: Tensor): { readonly lanes: 1 | 4; readonly workgroup: number } {
  return device.adapter.software ? { lanes: 4, workgroup: 8 } : { lanes: 1, workgroup: 64 };
}

const elementType = (dtype: DType, lanes: 1 | 4): string =>
  lanes === 4 ? `vec4<${dtype}>` : dtype;

function define(name: string, source: ShaderSource, items: readonly string[]): Kernel {
  return defineKernel({
    name: `conv2d-winograd/${name}`,
    source,
    grid: (params, { WORKGROUP = 64 }) => {
      const numbers = params as Readonly<Record<string, number>>;
      return linearGrid(
        items.reduce((product, item) => product * (numbers[item] ?? 0), 1),
        WORKGROUP,
      );
    },
  });
}

const strips = ["rows", "strips", "channels"];
const inputKernel = define("input", inputSource, strips);
const outputKernel = define("output", outputSource, strips);
const outputGradientKernel = define("output-gradient", outputGradientSource, strips);
const weightsKernel = define("weights", weightsSource, ["kernels"]);
const weightGradientKernel = define("weight-gradient", weightGradientSource, ["kernels"]);

/** Members `packing`, `quad` and `position` of `struct Params`. */
function packingParams({ rowBlock, quadStep, rowStep, columnBlock, columnStep, size }: Packing) {
  return {
    packing: [rowBlock, rowStep, columnBlock, columnStep],
    quad: quadStep,
    position: size,
  };
}

/** `struct Params` of winograd-tiles.wgsl for images [images, height, width, channels]. */
function tileParams(
  { tile, images, tilesY, tilesX }: Tiling,
  image: Tensor,
  corner: Corner,
  rows: Rows,
  packing: Packing,
): ParamValues {
  const [, height = 0, width = 0, channels = 0] = image.shape;
  const { lanes } = shapeOfWork(image);
  const strip = lanes === 4 ? tilesX : 1;
  return {
    images,
    height,
    width,
    channels: channels / lanes,
    pad_top: corner[0],
    pad_left: corner[1],
    tiles_y: tilesY,
    tiles_x: tilesX,
    first_row: rows.first,
    rows: rows.count,
    strip,
    strips: ceilDiv(tilesX, strip),
    side: tile + 2,
    packing: [packing.rowBlock, packing.rowStep, packing.columnBlock, packing.columnStep],
    quad: packing.quadStep,
    position: packing.size,
  };
}

function optionsOf(
  tile: TileSize,
  stored: Tensor,
  flags: Readonly<Record<string, number>> = {},
): KernelOptions {
  const { lanes, workgroup } = shapeOfWork(stored);
  return {
    overrides: { ...flags, TILE: tile, WORKGROUP: workgroup },
    types: { T: elementType(stored.dtype, lanes), E: elementType("f32", lanes) },
  };
}

/** One matrix for each position of a patch, and how they are stored. */
export interface Matrices {
  /** [positions, ...]; f32. */
  readonly values: Tensor;
  readonly packing: Packing;
}

/** How matrices are stored: row after row, or packed for sums along their rows or down their columns (across). */
export type Order = "rows" | "along" | "across";

/** Memory for matrices [rows, columns]. */
export function allocateMatrices(
  op: string,
  like: Tensor,
  tile: TileSize,
  [rows, columns]: readonly [number, number],
  order: Order,
): Matrices {
  const { lanes } = shapeOfWork(like);
  const packing =
    order === "rows"
      ? unpackedOf(rows, columns / lanes)
      : packingOf(rows, columns, order === "across");
  const shape = [positionsOf(tile), packing.size * (order === "rows" ? lanes : 4)];
  return { values: Tensor.allocate(op, like.device, shape, "f32"), packing };
}

/** The patches of x, transformed: matrices [tiles of the rows, channels]. */
export function transformInput(
  x: Tensor,
  { values: out, packing }: Matrices,
  tiling: Tiling,
  corner: Corner,
  rows: Rows,
): void {
  inputKernel({ x, out }, tileParams(tiling, x, corner, rows, packing), optionsOf(tiling.tile, x));
}

/** The products, matrices [tiles of the rows, channels], back to pixels of `out`, plus the bias. */
export function transformOutput(
  { values: products, packing }: Matrices,
  bias: Tensor | undefined,
  out: Tensor,
  tiling: Tiling,
  rows: Rows,
): void {
  const tensors = { products, bias: bias ?? products, out };
  const options = optionsOf(tiling.tile, out, { BIAS: Number(bias !== undefined) });
  outputKernel(tensors, tileParams(tiling, out, itself, rows, packing), options);
}

/** The tiles of dy, transformed for the weights' gradient: matrices [tiles of the rows, channels]. */
export function transformOutputGradient(
  dy: Tensor,
  { values: out, packing }: Matrices,
  tiling: Tiling,
  rows: Rows,
): void {
  const params = tileParams(tiling, dy, itself, rows, packing);
  outputGradientKernel({ dy, out }, params, optionsOf(tiling.tile, dy));
}

/** The kernels w, transformed: matrices [cin, cout]. `flip` turns each round, for the input gradient. */
export function transformWeights(w: Tensor, tile: TileSize, flip: boolean, order: Order): Matrices {
  const [, , inChannels = 0, outChannels = 0] = w.shape;
  const out = allocateMatrices("conv2d", w, tile, [inChannels, outChannels], order);
  const columns = outChannels / shapeOfWork(w).lanes;
  const params = {
    kernels: inChannels * columns,
    columns,
    side: tile + 2,
    taps,
    flip: Number(flip),
  };
  weightsKernel(
    { w, out: out.values },
    { ...params, ...packingParams(out.packing) },
    optionsOf(tile, w),
  );
  return out;
}

/** The gradient of the kernels from that of the transformed ones [positions, cin, cout], plus `sums` like dw in f32. */
export function transformWeightGradient(
  { values: products }: Matrices,
  sums: Tensor | undefined,
  dw: Tensor,
  tile: TileSize,
): void {
  const tensors = { products, sums: sums ?? products, dw };
  const params = { kernels: dw.size / 9 / shapeOfWork(dw).lanes, side: tile + 2, taps };
  weightGradientKernel(tensors, params, optionsOf(tile, dw, { SUMS: Number(sums !== undefined) }));
}
