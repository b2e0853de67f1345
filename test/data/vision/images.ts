/** @file Pictures made for the tests, and folders of them. */
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import sharp, { type Sharp } from "sharp";
import { afterAll } from "vitest";
import { Xoshiro128, type RgbImage } from "../../../data/index.ts";

/** A folder that is removed after the tests of the file. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "wgrad-images-"));
  afterAll(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

/** Random bytes: nothing is harder to resize. */
export function noise(width: number, height: number, seed = 1): RgbImage {
  const random = new Xoshiro128(seed);
  const data = Uint8Array.from({ length: width * height * 3 }, () => random.below(256));
  return { width, height, data };
}

/** A picture of one colour. */
export function plain(
  width: number,
  height: number,
  color: readonly [number, number, number],
): RgbImage {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => color[i % 3] ?? 0);
  return { width, height, data };
}

export function sharpOf({ width, height, data }: RgbImage): Sharp {
  return sharp(data, { raw: { width, height, channels: 3 } });
}

export function pngOf(image: RgbImage): Promise<Uint8Array> {
  return sharpOf(image).png().toBuffer();
}

/** Writes a file and the folders above it; returns its path. */
export async function put(folder: string, name: string, bytes: Uint8Array): Promise<string> {
  const path = join(folder, name);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
  return path;
}

/** The largest and the mean difference of two lists of bytes, and the part of those that differ by more than 2. */
export function difference(a: ArrayLike<number>, b: ArrayLike<number>) {
  if (a.length !== b.length) throw new Error(`${a.length} and ${b.length} bytes`);
  let [largest, sum, above2] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    const distance = Math.abs((a[i] ?? NaN) - (b[i] ?? NaN));
    largest = Math.max(largest, distance);
    sum += distance;
    if (distance > 2) above2++;
  }
  return { largest, mean: sum / a.length, above2: above2 / a.length };
}
