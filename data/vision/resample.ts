/** @file Resizing by PIL's rule for BILINEAR: a triangle that widens when the picture shrinks, so that every pixel counts. */
import type { RgbImage } from "./rgb-image.ts";

/** Weights are whole numbers of 2^-22: with bytes their sums fit into 32 bits. */
const fractionBits = 22;

/** For each output position the first input position that counts, and the weights from there on. */
interface Weights {
  readonly first: Int32Array;
  readonly count: Int32Array;
  /** `perOutput` numbers for each position, of which `count` are used. */
  readonly values: Int32Array;
  readonly perOutput: number;
}

/**
 * Resizes a picture exactly as PIL's `Image.resize((width, height), BILINEAR)` does: first along rows, then along columns, each sum in
 * fixed point, rounded to a byte between the two.
 *
 *     scale = in / out,  support = max(1, scale),  centre = (x + 0.5) scale
 *     out[x] = sum over i of w_i in[i] / sum of w_i,  w_i = max(0, 1 - |i + 0.5 - centre| / support)
 *
 * Source: Pillow, libImaging/Resample.c.
 */
export function resampleRgb(image: RgbImage, height: number, width: number): RgbImage {
  const narrowed =
    width === image.width ? image : resampleRows(image, weightsOf(image.width, width), width);
  return height === image.height
    ? narrowed
    : resampleColumns(narrowed, weightsOf(image.height, height), height);
}

/** The weights of all output positions along one axis. */
function weightsOf(inSize: number, outSize: number): Weights {
  const scale = inSize / outSize;
  const support = Math.max(1, scale);
  const perOutput = 2 * Math.ceil(support) + 1;
  const first = new Int32Array(outSize);
  const count = new Int32Array(outSize);
  const values = new Int32Array(outSize * perOutput);
  for (let x = 0; x < outSize; x++) {
    const centre = (x + 0.5) * scale;
    const begin = Math.max(0, Math.trunc(centre - support + 0.5));
    const end = Math.min(inSize, Math.trunc(centre + support + 0.5));
    const triangle = Array.from({ length: end - begin }, (_, i) =>
      Math.max(0, 1 - Math.abs((begin + i + 0.5 - centre) / support)),
    );
    const total = triangle.reduce((sum, weight) => sum + weight, 0);
    first[x] = begin;
    count[x] = triangle.length;
    triangle.forEach((weight, i) => {
      values[x * perOutput + i] = Math.trunc(0.5 + (weight / total) * 2 ** fractionBits);
    });
  }
  return { first, count, values, perOutput };
}

const half = 1 << (fractionBits - 1);

function resampleRows({ width, height, data }: RgbImage, weights: Weights, out: number): RgbImage {
  const { first, count, values, perOutput } = weights;
  const result = new Uint8ClampedArray(out * height * 3);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < out; x++, to += 3) {
      let from = (y * width + (first[x] ?? 0)) * 3;
      let [red, green, blue] = [half, half, half];
      const begin = x * perOutput;
      const end = begin + (count[x] ?? 0);
      for (let i = begin; i < end; i++, from += 3) {
        const weight = values[i] ?? 0;
        red += weight * (data[from] ?? 0);
        green += weight * (data[from + 1] ?? 0);
        blue += weight * (data[from + 2] ?? 0);
      }
      result[to] = red >> fractionBits;
      result[to + 1] = green >> fractionBits;
      result[to + 2] = blue >> fractionBits;
    }
  }
  return { width: out, height, data: new Uint8Array(result.buffer) };
}

function resampleColumns({ width, data }: RgbImage, weights: Weights, out: number): RgbImage {
  const { first, count, values, perOutput } = weights;
  const rowBytes = width * 3;
  const result = new Uint8ClampedArray(out * rowBytes);
  const sums = new Int32Array(rowBytes);
  for (let y = 0; y < out; y++) {
    sums.fill(half);
    for (let i = 0; i < (count[y] ?? 0); i++) {
      const weight = values[y * perOutput + i] ?? 0;
      const row = ((first[y] ?? 0) + i) * rowBytes;
      for (let x = 0; x < rowBytes; x++) {
        sums[x] = (sums[x] ?? 0) + weight * (data[row + x] ?? 0);
      }
    }
    for (let x = 0; x < rowBytes; x++) result[y * rowBytes + x] = (sums[x] ?? 0) >> fractionBits;
  }
  return { width, height: out, data: new Uint8Array(result.buffer) };
}
