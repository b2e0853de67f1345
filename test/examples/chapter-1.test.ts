/** @file The chapter's program from end to end, on pictures that are easy to tell apart, and again from its checkpoint. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodePng, encodePng } from "../../data/node.ts";
import { readOptions } from "../../examples/chapter-1/options.ts";
import { resnet34, squeezenet1_0 } from "../../nn/index.ts";
import { loadLearner } from "../../vision/node.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { runExample } from "./run-example.ts";

useDevice();

let folder = "";
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "wgrad-chapter-"));
  const random = seededRandom(3);
  const photos = join(folder, "photos");
  await mkdir(photos);
  for (let i = 0; i < 20; i++) {
    // Cats are bright, dogs are dark.
    const isCat = i % 2 === 0;
    const data = Uint8Array.from({ length: 40 * 36 * 3 }, () =>
      Math.floor((isCat ? 160 : 0) + 90 * random()),
    );
    const name = `${isCat ? "Cat" : "dog"}_${i}.png`;
    await writeFile(join(photos, name), encodePng({ width: 40, height: 36, channels: 3, data }));
  }
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

test("reads its command line, and refuses what it does not know", () => {
  expect(readOptions([])).toMatchObject({ arch: resnet34, size: 224, weights: true, epochs: 1 });
  const args = ["--arch", "squeezenet1_0", "--weights", "none", "--labels", "folder", "--bs", "8"];
  expect(readOptions(args)).toMatchObject({ arch: squeezenet1_0, weights: false, batchSize: 8 });
  expect(() => readOptions(["--arch", "vgg16"])).toThrow(/--arch vgg16 is not known/);
  expect(() => readOptions(["--labels", "csv"])).toThrow(/--labels is name or folder, not csv/);
  expect(() => readOptions(["--size", "big"])).toThrow(/--size takes a whole number >= 1, not big/);
});

test("trains, judges, exports and predicts; from its checkpoint there is nothing left to do", async () => {
  const args = [
    ...["--images", "photos", "--arch", "squeezenet1_0", "--weights", "none", "--size", "32"],
    ...["--bs", "8", "--epochs", "2", "--out", "out"],
  ];
  const { code, output } = await runExample("chapter-1", args, folder);
  expect(code, output).toBe(0);
  expect(output).toContain("16 train, 4 validate");
  expect(output).toContain("epoch     train_loss  valid_loss  error_rate  time");
  expect(output).toMatch(/4 images, \d wrong/);
  const out = join(folder, "out");
  expect((await readdir(out)).sort()).toEqual([
    ...["batch.png", "checkpoint.safetensors", "confusion.png", "losses.png"],
    ...["model", "model.onnx", "top-losses.png"],
  ]);
  for (const name of ["batch", "confusion", "losses", "top-losses"]) {
    expect(decodePng(await readFile(join(out, `${name}.png`))).width).toBeGreaterThan(200);
  }
  const predictor = await loadLearner(join(out, "model"));
  expect(predictor.vocab).toEqual([false, true]);

  const again = await runExample("chapter-1", [...args, "--resume"], folder);
  expect(again.code, again.output).toBe(0);
  const rows = (text: string) => text.match(/^[01] {9}(?:\d\.\d{6} +){3}/gm);
  expect(rows(output)).toHaveLength(2);
  const verdict = /4 images, \d wrong \(.*\)/;
  expect(verdict.exec(again.output)?.[0]).toBe(verdict.exec(output)?.[0]);
}, 600_000);
