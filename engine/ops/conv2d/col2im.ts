/**
 * @file The convolution's input gradient by the gradient of its matrix of patches. A product makes that, and `col2im.wgsl` adds up what
 * belongs to one element of x:
 *
 *     patches[ky, kx, ci, pixel of out] = sum over co of w[ky, kx, ci, co] dy[pixel of out, co]
 *
 * The side of the product is taps and channels of x together, so it runs at full speed where x has few channels. It costs a matrix of
 * kernel height x kernel width x cin numbers for each pixel of out, written and read once.
 */
import col2imSource from "../../../shaders/conv2d/col2im.wgsl";
import { bytesPerElement } from "../../dtype.ts";
import { ceilDiv } from "../../shape.ts";
import { Tensor } from "../../tensor.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import { matmulFamily } from "../matmul-kernels.ts";
import { canMultiplyPacked } from "../matmul/packed.ts";
import { copyStrided } from "../strided-copy.ts";
import type { Abilities } from "../variants.ts";
import { workgroupTile } from "../workgroup-tiles.ts";
import {
  defineConvolution,
  onePart,
  packedIn,
  packedOut,
  paramsOf,
  phasePixels,
  type InputGradientVariant,
  type Numbers,
} from "./launch.ts";
import { reachedPhases } from "./phases.ts";

const name = "col2im";

/** Of the products, in profiles. */
const label = "conv2d-input-gradient/col2im-products";
const copyLabel = "conv2d-input-gradient/col2im-copy";

/** Invocations of a workgroup of col2im.wgsl. */
const workgroup = 64;

const gather = defineConvolution(
  "conv2d-input-gradient/col2im",
  col2imSource,
  (params, { CHANNELS = 1 }) =>
    ceilDiv((phasePixels(params) * (params["in_channels"] ?? 0)) / CHANNELS, workgroup),
);

/** What every WebGPU device can bind, and what is held at one time unless one image needs more. */
const [mostBytes, workspaceBytes] = [128 * 2 ** 20, 64 * 2 ** 20];

const pixelsOfImage = ({ outHeight, outWidth }: Geometry): number => outHeight * outWidth;

/** Rows of the matrix: taps and channels. */
const rowsOf = ({ kernel, inChannels }: Geometry): number => kernel[0] * kernel[1] * inChannels;

/** Of the matrix of one image, in f32. */
const bytesOfImage = (geometry: Geometry): number =>
  bytesPerElement.f32 * rowsOf(geometry) * pixelsOfImage(geometry);

/** Images of one pass, of passes of one size. */
function imagesOfPass(geometry: Geometry): number {
  const most = Math.max(1, Math.floor(workspaceBytes / bytesOfImage(geometry)));
  return Math.max(1, ceilDiv(geometry.batch, ceilDiv(geometry.batch, most)));
}

/** The images of `dy` from `first` on. */
function imagesFrom(dy: Tensor, first: number, images: number): Tensor {
  if (images === dy.shape[0]) return dy;
  const part = Tensor.allocate("conv2d", dy.device, [images, ...dy.shape.slice(1)], dy.dtype);
  const axis = { size: part.size, xStride: 1, outStride: 1 };
  copyStrided(copyLabel, dy, part, [axis], { xOffset: (first * part.size) / images });
  return part;
}

/** patches = w dy^T */
function multiply(w: Tensor, dy: Tensor, patches: Tensor, geometry: Geometry, n: number): void {
  const sizes = { batch: 1, m: rowsOf(geometry), n, k: geometry.outChannels };
  const layout = { aBatch: 0, bBatch: 0, transposeA: false, transposeB: true };
  matmulFamily.run(dy.device, { a: w, b: dy, out: patches }, { ...sizes, ...layout, label });
}

/** Channels that one invocation gathers: as many as share the work of finding the places, and divide them all. */
const channelsOfInvocation = ({ inChannels }: Geometry): number =>
  [4, 3, 2].find((channels) => inChannels % channels === 0) ?? 1;

/** dx from the matrix of patches, some images at a time. */
export const col2imInputGradient: InputGradientVariant = {
  name,
  canRun: (_device, geometry) => geometry.groups === 1 && bytesOfImage(geometry) <= mostBytes,
  run: ({ dy, w, dx }, geometry) => {
    const phases = reachedPhases(geometry, dx);
    const most = imagesOfPass(geometry);
    const [rows, imagePixels] = [rowsOf(geometry), pixelsOfImage(geometry)];
    const CHANNELS = channelsOfInvocation(geometry);
    for (let first = 0; first < geometry.batch; first += most) {
      const images = Math.min(most, geometry.batch - first);
      const pixels = images * imagePixels;
      const patches = Tensor.allocate("conv2d", dx.device, [rows, pixels], dx.dtype);
      multiply(w, imagesFrom(dy, first, images), patches, geometry, pixels);
      const pass = { first_pixel: first * imagePixels, pixels };
      for (const phase of phases) {
        const TAPS = ceilDiv(geometry.kernel[1] - phase[1].tap, phase[1].tapStep);
        const params: Numbers = paramsOf(geometry, onePart, phase, pass);
        gather({ patches, dx }, params, { types: { T: dx.dtype }, overrides: { CHANNELS, TAPS } });
      }
    }
  },
};

/**
 * Measured on llvmpipe and SwiftShader. `few`: multiplications that take longer than the additional dispatches, against `direct`, where pixels
 * and channels of out come in vec4s. `many`: the same against kernels in registers, and on GPUs, and where the product needs packing,
 * which wants `rows` as well. Kernels in registers waste most of their tile on 4 channels of x, if there are `columns` of out to
 * pay for the matrix.
 */
const worthMatrix = { few: 2 ** 17, many: 2 ** 20, rows: 16, channels: 4, columns: 16 };

/** Whether the matrix is expected to be worth its memory. Whether it can be made is another question. */
export function prefersCol2im(device: Abilities, geometry: Geometry): boolean {
  const pixels = geometry.batch * pixelsOfImage(geometry);
  const multiplications = pixels * rowsOf(geometry) * geometry.outChannels;
  const isMany = multiplications >= worthMatrix.many;
  const hasTiles = packedIn(geometry) && packedOut(geometry);
  if (!device.adapter.software) return isMany && (!hasTiles || isFasterThanTiles(geometry));
  if (hasTiles) {
    const { inChannels, outChannels, kernel } = geometry;
    const isNarrow = inChannels <= worthMatrix.channels && outChannels >= worthMatrix.columns;
    return isMany && isNarrow && kernel[0] * kernel[1] > 1;
  }
  const comesInVectors = pixels % 4 === 0 && packedOut(geometry);
  if (comesInVectors) return multiplications >= worthMatrix.few;
  return isMany && rowsOf(geometry) >= worthMatrix.rows && canMultiplyPacked(device);
}

/** Multiplications that a GPU does while it stores one number of the matrix and loads it again: 8 bytes, some 35 flops a byte. */
const perNumber = 140;

/** The arithmetic is in docs/writing-a-kernel.md: multiplications for each pixel of out, by the part of the peak that they reach. */
function isFasterThanTiles({ kernel, inChannels, outChannels }: Geometry): boolean {
  const filled = (columns: number): number => workgroupTile * ceilDiv(columns, workgroupTile);
  const taps = kernel[0] * kernel[1];
  const rows = taps * inChannels;
  const matrix = (filled(rows) * outChannels) / 0.8 + perNumber * rows;
  const tiles = (taps * filled(inChannels) * outChannels) / 0.78;
  return matrix < 0.9 * tiles;
}
