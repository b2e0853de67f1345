/**
 * @file The convolution by its matrix of patches: `im2col.wgsl` writes the patches in the order in which the packed matrix product reads
 * them. It costs a copy of every pixel for each tap, and the product runs at full speed whatever stride, dilation and kernel are.
 */
import im2colSource from "../../../shaders/conv2d/im2col.wgsl";
import { linearGrid } from "../../kernel.ts";
import { ceilDiv } from "../../shape.ts";
import { Tensor } from "../../tensor.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import { canMultiplyPacked, multiplyPacked, pack } from "../matmul/packed.ts";
import type { Abilities } from "../variants.ts";
import { defineKernel } from "../../kernel.ts";
import { packedIn, packedOut, paramsOf, tileRows, type ForwardVariant } from "./launch.ts";

function define(entryPoint: "vectors" | "scalars", x: "x" | "x_scalars") {
  return defineKernel({
    name: "conv2d/im2col",
    source: im2colSource,
    entryPoint,
    bindings: [x, "out", "params"],
    grid: (params) => {
      const { pixels = 0, kernel_height = 0, kernel_width = 0 } = params as Record<string, number>;
      const blocks = ceilDiv(pixels, tileRows);
      return linearGrid(
        entryPoint === "vectors" ? blocks * kernel_height * kernel_width : blocks,
        1,
      );
    },
  });
}

const patchesOfVectors = define("vectors", "x");
const patchesOfScalars = define("scalars", "x_scalars");

/** Bytes of patches that are held at one time: what stays in the cache of a software adapter. */
const workspaceBytes = 4 * 2 ** 20;

/** Length of the sum: taps and channels. */
const sumLength = ({ kernel, inChannels }: Geometry): number => kernel[0] * kernel[1] * inChannels;

const pixelsOf = ({ batch, outHeight, outWidth }: Geometry): number => batch * outHeight * outWidth;

/** Pixels of one pass: whole blocks, in passes of one size. */
function pixelsOfPass(geometry: Geometry): number {
  const blockBytes = 16 * ceilDiv(sumLength(geometry), 4) * tileRows;
  const blocks = ceilDiv(pixelsOf(geometry), tileRows);
  const passes = ceilDiv(blocks, Math.max(1, Math.floor(workspaceBytes / blockBytes)));
  return tileRows * ceilDiv(blocks, Math.max(1, passes));
}

/** The convolution as one product for each pass over the pixels. */
export const im2colForward: ForwardVariant = {
  name: "im2col",
  canRun: (device, geometry) =>
    canMultiplyPacked(device) && geometry.groups === 1 && packedOut(geometry),
  run: ({ x, w, bias, out }, geometry) => {
    const [n, k] = [geometry.outChannels, sumLength(geometry)];
    const weights = pack(w, { matrices: 1, step: 0, rows: k, columns: n, across: true });
    const most = pixelsOfPass(geometry);
    const shape = [most, 4 * ceilDiv(k, 4)];
    const patches = Tensor.allocate("conv2d", x.device, shape, x.dtype);
    const total = pixelsOf(geometry);
    for (let first = 0; first < total; first += most) {
      const m = Math.min(most, total - first);
      const params = { ...paramsOf(geometry), first_pixel: first, pixels: m };
      const options = { types: { T: x.dtype } };
      if (packedIn(geometry)) patchesOfVectors({ x, out: patches }, params, options);
      else patchesOfScalars({ x_scalars: x, out: patches }, params, options);
      const product = { batch: 1, m, n, k, transposeA: false, transposeB: false };
      multiplyPacked(patches, weights, out, { ...product, bias, firstRow: first });
    }
  },
};

/**
 * Patches and packed weights cost a copy of each of their values, and every multiplication of the product gains: they are even where
 * pixels n / (pixels + n) is about this, measured on llvmpipe against `subgroup`.
 */
const worthPacking = 48;

/** Whether the patches are expected to be worth their copies. */
export function prefersIm2col(device: Abilities, geometry: Geometry): boolean {
  if (!device.adapter.software || !canMultiplyPacked(device)) return false;
  const [pixels, n] = [pixelsOf(geometry), geometry.outChannels];
  return (pixels * n) / (pixels + n) > worthPacking;
}
