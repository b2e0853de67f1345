/** @file An image on the host. */
import { ArgumentError } from "../../engine/index.ts";

/** Pixels of a picture, row by row from the top: `[height, width, 3]`, red, green, blue, 8 bits each. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** `height * width * 3` bytes. */
  readonly data: Uint8Array;
}

/** @throws ArgumentError when the bytes do not fill the picture, or it is empty. */
export function checkRgbImage(op: string, { width, height, data }: RgbImage): void {
  const whole = Number.isInteger(width) && Number.isInteger(height) && width > 0 && height > 0;
  if (!whole || data.length !== width * height * 3) {
    throw new ArgumentError(
      op,
      `${data.length} bytes are no picture of ${width} x ${height} pixels of 3 channels`,
      "Pass red, green and blue of each pixel, row by row",
    );
  }
}

/** Channels of the images of a batch: grey, or red, green and blue. */
export type ImageChannels = 1 | 3;

/**
 * Grey values as PIL's `convert("L")` has them, which for a grey picture are its own: `[height, width]`.
 * Source: Pillow, libImaging/Convert.c; ITU-R BT.601.
 */
export function greyOf({ width, height, data }: RgbImage): Uint8Array<ArrayBuffer> {
  const grey = new Uint8Array(width * height);
  for (let i = 0, from = 0; i < grey.length; i++, from += 3) {
    const [red = 0, green = 0, blue = 0] = [data[from], data[from + 1], data[from + 2]];
    grey[i] = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16;
  }
  return grey;
}

/** A rectangle of pixels. It may reach beyond the picture: then it is padded. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** In this order shaders number them, too. */
export const padModes = ["zeros", "border", "reflection"] as const;

/** How pixels beyond the picture are made up: black; the nearest pixel; mirrored without repeating the outermost pixel. */
export type PadMode = (typeof padModes)[number];

/** Copies a box out of a picture; what is beyond the picture is made up. */
export function cropRgb(image: RgbImage, box: Box, padMode: PadMode = "zeros"): RgbImage {
  const { left, top, width, height } = box;
  const columns = Int32Array.from({ length: width }, (_, x) =>
    inside(left + x, image.width, padMode),
  );
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    const row = inside(top + y, image.height, padMode);
    if (row >= 0) copyRow(image, row, columns, data, y * width * 3);
  }
  return { width, height, data };
}

function copyRow(
  { width, data }: RgbImage,
  row: number,
  columns: Int32Array,
  out: Uint8Array,
  begin: number,
): void {
  let to = begin;
  for (const column of columns) {
    const from = (row * width + column) * 3;
    if (column >= 0) {
      out[to] = data[from] ?? 0;
      out[to + 1] = data[from + 1] ?? 0;
      out[to + 2] = data[from + 2] ?? 0;
    }
    to += 3;
  }
}

/** Index of the pixel that stands for number `i` of a row of `size`; -1 for black. */
function inside(i: number, size: number, padMode: PadMode): number {
  if (i >= 0 && i < size) return i;
  if (padMode === "zeros") return -1;
  if (padMode === "border") return i < 0 ? 0 : size - 1;
  const period = Math.max(1, 2 * (size - 1));
  const folded = ((i % period) + period) % period;
  return folded < size ? folded : period - folded;
}
