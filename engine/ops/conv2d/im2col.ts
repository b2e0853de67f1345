/**
 * @file The convolution and the gradient of its weights by the matrix of patches: `im2col.wgsl` writes the patches in the order in which the
 * packed matrix product reads them. It costs a copy of every pixel for each tap, and the product runs at full speed whatever stride,
 * dilation and kernel are.
 */
import im2colSource from "../../../shaders/conv2d/im2col.wgsl";
import { defineKernel, linearGrid } from "../../kernel.ts";
import { ceilDiv } from "../../shape.ts";
import { Tensor } from "../../tensor.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import { canMultiplyPacked, multiplyPacked, pack } from "../matmul/packed.ts";
import type { Abilities } from "../variants.ts";
import { sumInParts } from "../workgroup-tiles.ts";
import {
  onePart,
  packedIn,
  packedOut,
  paramsOf,
  tileRows,
  type ForwardVariant,
  type Numbers,
  type WeightGradientVariant,
} from "./launch.ts";

const name = "im2col";

/** Of the products, in profiles. */
const label = "conv2d/im2col-products";
const packLabel = "conv2d/im2col-pack";

function define(
  entryPoint: "vectors" | "scalars" | "across",
  workgroups: (params: Numbers, overrides: Numbers) => number,
) {
  return defineKernel({
    name: "conv2d/im2col",
    source: im2colSource,
    entryPoint,
    bindings: [entryPoint === "scalars" ? "x_scalars" : "x", "out", "params"],
    grid: (params, overrides) => linearGrid(workgroups(params as Numbers, overrides), 1),
  });
}

const tapsOf = ({ kernel_height = 0, kernel_width = 0 }: Numbers): number =>
  kernel_height * kernel_width;

const rowBlocks = ({ pixels = 0 }: Numbers): number => ceilDiv(pixels, tileRows);

const patchesOfVectors = define("vectors", (p) => rowBlocks(p) * tapsOf(p));
const patchesOfScalars = define("scalars", rowBlocks);
const patchesAcross = define("across", (p, { STEPS = 1 }) => {
  const columns = tapsOf(p) * (p["in_channels"] ?? 0);
  return ceilDiv(columns, tileRows) * ceilDiv(p["pixels"] ?? 0, 4 * STEPS);
});

/** Steps of 4 pixels that an invocation of `across` copies: each costs as much to start as several loads. */
const acrossSteps = 32;

/** Bytes of patches that are held at one time: what stays in the cache of a software adapter. */
const workspaceBytes = 4 * 2 ** 20;

/** Bytes of partial sums of the weights' gradient, at most; one pass needs none. */
const mostSumBytes = 8 * 2 ** 20;

/** Length of a row: taps and channels. */
const rowLength = ({ kernel, inChannels }: Geometry): number => kernel[0] * kernel[1] * inChannels;

const pixelsOf = ({ batch, outHeight, outWidth }: Geometry): number => batch * outHeight * outWidth;

/** Pixels of one pass, in whole blocks, of passes of one size: no more passes than `most`. */
function pixelsOfPass(geometry: Geometry, block: number, most: number): number {
  const blockBytes = 16 * ceilDiv(rowLength(geometry), 4) * block;
  const blocks = ceilDiv(pixelsOf(geometry), block);
  const passes = ceilDiv(blocks, Math.max(1, Math.floor(workspaceBytes / blockBytes)));
  return block * ceilDiv(blocks, Math.max(1, Math.min(passes, most)));
}

const patchParams = (geometry: Geometry, first_pixel: number, pixels: number): Numbers =>
  paramsOf(geometry, onePart, undefined, { first_pixel, pixels });

/** out = patches w, a pass over the pixels at a time. */
export const im2colForward: ForwardVariant = {
  name,
  canRun: (device, geometry) =>
    canMultiplyPacked(device) && geometry.groups === 1 && packedOut(geometry),
  run: ({ x, w, bias, out }, geometry) => {
    const [n, k, total] = [geometry.outChannels, rowLength(geometry), pixelsOf(geometry)];
    const weights = pack(w, { matrices: 1, step: 0, rows: k, columns: n, across: true }, packLabel);
    const most = pixelsOfPass(geometry, tileRows, Infinity);
    const shape = [most, 4 * ceilDiv(k, 4)];
    const patches = Tensor.allocate("conv2d", x.device, shape, x.dtype);
    const options = { types: { T: x.dtype } };
    for (let first = 0; first < total; first += most) {
      const m = Math.min(most, total - first);
      const params = patchParams(geometry, first, m);
      if (packedIn(geometry)) patchesOfVectors({ x, out: patches }, params, options);
      else patchesOfScalars({ x_scalars: x, out: patches }, params, options);
      const product = { batch: 1, m, n, k, transposeA: false, transposeB: false, label };
      multiplyPacked(patches, weights, out, { ...product, bias, firstRow: first });
    }
  },
};

/** dw = patches^T dy. Each pass over the pixels makes a part of the sums. */
export const im2colWeightGradient: WeightGradientVariant = {
  name,
  canRun: (device, geometry) =>
    canMultiplyPacked(device) && geometry.groups === 1 && packedIn(geometry) && packedOut(geometry),
  run: ({ x, dy, dw }, geometry) => {
    const [n, m, total] = [geometry.outChannels, rowLength(geometry), pixelsOf(geometry)];
    const mostParts = Math.max(1, Math.floor(mostSumBytes / (4 * m * n)));
    const most = pixelsOfPass(geometry, 4, mostParts);
    const parts = Math.max(1, ceilDiv(total, most));
    const shape = [tileRows * ceilDiv(m, tileRows), most];
    const patches = Tensor.allocate("conv2dWeightGradient", x.device, shape, x.dtype);
    const options = { types: { T: x.dtype }, overrides: { STEPS: acrossSteps } };
    sumInParts("conv2d-weight-gradient", dw, parts, (sums) => {
      for (let part = 0; part < parts; part++) {
        const first = part * most;
        const k = Math.min(most, total - first);
        patchesAcross({ x, out: patches }, patchParams(geometry, first, k), options);
        const rows = { matrices: 1, step: 0, first: first * n, rows: k, columns: n };
        const gradients = pack(dy, { ...rows, across: true }, packLabel);
        const product = { batch: 1, m, n, k, transposeA: true, transposeB: false, label };
        multiplyPacked(patches, gradients, sums, { ...product, firstRow: part * m });
      }
    });
  },
};

/**
 * Patches and packed factors cost a copy of each of their values, and every multiplication of the product gains: they are even where
 * rows n / (rows + n) is about this, measured on llvmpipe against `subgroup`.
 */
const worthPacking = 48;

/** Whether the patches are expected to be worth their copies, for products with so many rows beside the channels of out. */
function isWorthPacking(device: Abilities, rows: number, { outChannels: n }: Geometry): boolean {
  return (
    device.adapter.software && canMultiplyPacked(device) && (rows * n) / (rows + n) > worthPacking
  );
}

export function prefersIm2col(device: Abilities, geometry: Geometry): boolean {
  return isWorthPacking(device, pixelsOf(geometry), geometry);
}

/** For the weights' gradient; short sums do not make up for storing the result. */
export function prefersIm2colGradient(device: Abilities, geometry: Geometry): boolean {
  return pixelsOf(geometry) >= 64 && isWorthPacking(device, rowLength(geometry), geometry);
}
