/** @file The CIFAR program from end to end, on a few images in strips. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decodePng, encodePng } from "../../data/node.ts";
import { unpackStrips } from "../../examples/cifar/strips.ts";
import { seededRandom } from "../inputs.ts";
import { runExample } from "./run-example.ts";

/** Two strips of 40 images, four of each class in each; the pixels of image i are near 3 i. */
async function writeStrips(folder: string): Promise<void> {
  const random = seededRandom(5);
  await mkdir(folder);
  const labels = Array.from({ length: 80 }, (_, i) => i % 10);
  await writeFile(join(folder, "labels.json"), JSON.stringify(labels));
  for (const strip of [0, 1]) {
    const data = Uint8Array.from({ length: 40 * 1024 * 3 }, (_, at) => {
      const image = 40 * strip + Math.floor(at / (1024 * 3));
      return 3 * image + Math.floor(8 * random());
    });
    const png = encodePng({ width: 1024, height: 40, channels: 3, data });
    await writeFile(join(folder, `cifar10_batch_${strip}.png`), png);
  }
}

test("unpacks strips, trains and judges", async () => {
  const folder = await mkdtemp(join(tmpdir(), "wgrad-cifar-"));
  try {
    await writeStrips(join(folder, "strips"));
    expect(await unpackStrips(join(folder, "strips"), join(folder, "images"))).toBe(80);
    const frogs = await readdir(join(folder, "images", "frog"));
    expect(frogs.sort()).toEqual(
      [6, 16, 26, 36, 46, 56, 66, 76].map((i) => `000${String(i).padStart(2, "0")}.png`),
    );
    const { width, height, data } = decodePng(
      await readFile(join(folder, "images", "frog", "00046.png")),
    );
    expect([width, height]).toEqual([32, 32]);
    expect(data[0]).toBeGreaterThanOrEqual(3 * 46);
    expect(data[0]).toBeLessThan(3 * 46 + 8);

    const args = ["--strips", "strips", "--epochs", "2", "--bs", "16", "--out", "out", "--augment"];
    const { code, output } = await runExample("cifar", args, folder);
    expect(code, output).toBe(0);
    expect(output).toContain(`Unpacked into ${join("out", "images")}: 80 images.`);
    expect(output).toContain("64 train, 16 validate");
    expect(output).toContain("Normalisation: once, (mean [0.491,0.482,0.447]");
    expect(output).toContain("epoch     train_loss  valid_loss  accuracy  time");
    expect(output).toMatch(/16 images, \d+ wrong/);
    const files = (await readdir(join(folder, "out"))).sort();
    expect(files).toEqual(["batch.png", "confusion.png", "images", "losses.png"]);
  } finally {
    await rm(folder, { recursive: true });
  }
}, 120_000);
