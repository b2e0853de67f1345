/**
 * @file CIFAR-10 images in strips: pictures of which each row is one image of 32 x 32 pixels, and `labels.json` with the classes in the same
 * order. They become a folder of small pictures, as data sets of pictures usually are.
 */
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { decodePng, encodePng } from "../../data/node.ts";

const side = 32;

/** Classes of CIFAR-10 by their index. */
const classes = [
  ...["airplane", "automobile", "bird", "cat", "deer"],
  ...["dog", "frog", "horse", "ship", "truck"],
] as const;

/** Writes `<to>/<class>/<number>.png` for each image. Returns how many there are. */
export async function unpackStrips(from: string, to: string): Promise<number> {
  const labels = JSON.parse(await readFile(join(from, "labels.json"), "utf8")) as number[];
  const strips = (await readdir(from)).filter((name) => name.endsWith(".png")).sort();
  for (const name of classes) await mkdir(join(to, name), { recursive: true });
  let count = 0;
  for (const strip of strips) {
    const { width, height, data, channels } = decodePng(await readFile(join(from, strip)));
    if (width !== side * side) {
      throw new Error(`${strip}: a row has ${width} pixels, not ${side} x ${side}.`);
    }
    const bytes = width * channels;
    for (let row = 0; row < height; row++, count++) {
      const image = data.subarray(row * bytes, (row + 1) * bytes);
      const name = classes[labels[count] ?? -1];
      if (name === undefined) throw new Error(`labels.json has no class for image ${count}.`);
      const file = join(to, name, `${String(count).padStart(5, "0")}.png`);
      await writeFile(file, encodePng({ width: side, height: side, channels, data: image }));
    }
  }
  return count;
}
