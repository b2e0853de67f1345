/**
 * @file The convolution by its matrix of patches: `im2col.wgsl` writes the patches in the order in which the packed matrix product reads
 * them. It costs a copy of every pixel for each tap, and the product runs at full speed whatever stride, dilation and kernel are.
 */
import im2colSource from "../../../shaders/conv2d/im2col.wgsl";
import { defineKernel, linearGrid } from "../../kernel.ts";
import { ceilDiv } from "../../shape.ts";
import { Tensor } from "../../tensor.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import { canMultiplyPacked, canPack, multiplyPacked, pack } from "../matmul/packed.ts";
import type { Abilities } from "../variants.ts";
import {
  onePart,
  packedIn,
  packedOut,
  paramsOf,
  tileRows,
  type ForwardVariant,
  type Numbers,
} from "./launch.ts";

const name = "im2col";

/** Of the products, in profiles. */
const label = "conv2d/im2col-products";
const packLabel = "conv2d/im2col-pack";

function define(entryPoint: "vectors" | "scalars", workgroups: (params: Numbers) => number) {
  return defineKernel({
    name: "conv2d/im2col",
    source: im2colSource,
    entryPoint,
    bindings: [entryPoint === "scalars" ? "x_scalars" : "x", "out", "params"],
    grid: (params) => linearGrid(workgroups(params as Numbers), 1),
  });
}

const tapsOf = ({ kernel_height = 0, kernel_width = 0 }: Numbers): number =>
  kernel_height * kernel_width;

const rowBlocks = ({ pixels = 0 }: Numbers): number => ceilDiv(pixels, tileRows);

const patchesOfVectors = define("vectors", (p) => rowBlocks(p) * tapsOf(p));
const patchesOfScalars = define("scalars", rowBlocks);

/** Bytes of patches that are held at one time: what stays in the cache of a software adapter. */
const workspaceBytes = 4 * 2 ** 20;

/** Length of a row: taps and channels. */
const rowLength = ({ kernel, inChannels }: Geometry): number => kernel[0] * kernel[1] * inChannels;

const pixelsOf = ({ batch, outHeight, outWidth }: Geometry): number => batch * outHeight * outWidth;

/** Pixels of one pass, in whole blocks, of passes of one size. */
function pixelsOfPass(geometry: Geometry): number {
  const blockBytes = 16 * ceilDiv(rowLength(geometry), 4) * tileRows;
  const blocks = ceilDiv(pixelsOf(geometry), tileRows);
  const passes = ceilDiv(blocks, Math.max(1, Math.floor(workspaceBytes / blockBytes)));
  return tileRows * ceilDiv(blocks, Math.max(1, passes));
}

const patchParams = (geometry: Geometry, first_pixel: number, pixels: number): Numbers =>
  paramsOf(geometry, onePart, undefined, { first_pixel, pixels });

/** out = patches w, a pass over the pixels at a time. */
export const im2colForward: ForwardVariant = {
  name,
  canRun: (device, geometry) =>
    canMultiplyPacked(device) &&
    geometry.groups === 1 &&
    packedOut(geometry) &&
    canPack(1, geometry.outChannels, rowLength(geometry)) &&
    canPack(1, tileRows, rowLength(geometry)),
  run: ({ x, w, bias, out }, geometry) => {
    const [n, k, total] = [geometry.outChannels, rowLength(geometry), pixelsOf(geometry)];
    const weights = pack(w, { matrices: 1, step: 0, rows: k, columns: n, across: true }, packLabel);
    const most = pixelsOfPass(geometry);
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

/**
 * Patches and packed weights cost a copy of each of their values and three more dispatches; every multiplication of the product gains. Measured on
 * llvmpipe: sums over few channels always gain, against `subgroup-narrow`; others, against `subgroup`, where pixels n / (pixels + n) and the
 * length of the sums are above these.
 */
const worthPatches = { narrow: 48, wide: 100, sum: 1024 };

/** Whether the patches are expected to be worth their copies. */
export function prefersIm2col(device: Abilities, geometry: Geometry): boolean {
  if (!device.adapter.software || !canMultiplyPacked(device)) return false;
  const [pixels, n] = [pixelsOf(geometry), geometry.outChannels];
  const gain = (pixels * n) / (pixels + n);
  if (!packedIn(geometry)) return gain >= worthPatches.narrow;
  return gain >= worthPatches.wide && rowLength(geometry) >= worthPatches.sum;
}
