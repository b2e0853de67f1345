/** @file PIL's resize with BILINEAR, in plain float64, as its source describes it: the reference for ours and for sharp's. */
import type { RgbImage } from "../../../data/index.ts";

const triangle = (x: number): number => Math.max(0, 1 - Math.abs(x));

/** One axis: `out[x] = sum of w(i) at(i) / sum of w(i)`. */
function resampleAxis(inSize: number, outSize: number, at: (i: number) => number): number[] {
  const scale = inSize / outSize;
  const filterScale = Math.max(1, scale);
  return Array.from({ length: outSize }, (_, x) => {
    const centre = (x + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - filterScale + 0.5));
    const end = Math.min(inSize, Math.trunc(centre + filterScale + 0.5));
    let [sum, total] = [0, 0];
    for (let i = first; i < end; i++) {
      const weight = triangle((i - centre + 0.5) / filterScale);
      sum += weight * at(i);
      total += weight;
    }
    return sum / total;
  });
}

/** Along rows, rounded to bytes, then along columns. */
export function pilResize(image: RgbImage, height: number, width: number): Uint8Array {
  const narrow = new Uint8Array(image.height * width * 3);
  const data = new Uint8Array(height * width * 3);
  for (let c = 0; c < 3; c++) {
    for (let y = 0; y < image.height; y++) {
      const row = (i: number) => image.data[(y * image.width + i) * 3 + c] ?? NaN;
      resampleAxis(image.width, width, row).forEach((value, x) => {
        narrow[(y * width + x) * 3 + c] = Math.floor(value + 0.5);
      });
    }
    for (let x = 0; x < width; x++) {
      const column = (i: number) => narrow[(i * width + x) * 3 + c] ?? NaN;
      resampleAxis(image.height, height, column).forEach((value, y) => {
        data[(y * width + x) * 3 + c] = Math.floor(value + 0.5);
      });
    }
  }
  return data;
}
