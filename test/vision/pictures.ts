/** @file Small pictures of two colours, whose names tell which: for tests of vision that need files but no photographs. */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import sharp from "sharp";

/** A noisy picture of 40 x 36 pixels, mostly of one colour. */
async function picture(file: string, red: number, blue: number, seed: number): Promise<void> {
  const pixels = Uint8Array.from({ length: 40 * 36 * 3 }, (_, i) => {
    const noise = ((i * 7919 + seed * 104729) % 61) - 30;
    return ([red, 60, blue][i % 3] ?? 0) + noise;
  });
  await sharp(pixels, { raw: { width: 40, height: 36, channels: 3 } })
    .png()
    .toFile(file);
}

/** Makes a folder with `Red_0.png`, `blue_1.png`, `Red_2.png`, ... and returns its path. */
export async function twoColours(parent: string, count: number): Promise<string> {
  const folder = join(parent, "images");
  await mkdir(folder);
  for (let i = 0; i < count; i++) {
    const isRed = i % 2 === 0;
    const name = `${isRed ? "Red" : "blue"}_${i}.png`;
    await picture(join(folder, name), isRed ? 200 : 60, isRed ? 60 : 200, i);
  }
  return folder;
}

/** The label of such a picture: whether it is red. */
export function isRed(name: string): boolean {
  return name.startsWith("R");
}
