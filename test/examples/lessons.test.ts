/** @file The lessons do what they tell their readers: each is run, and what it claims is checked. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openNodeDevice } from "../../engine/node.ts";
import { main as tensors } from "../../examples/lessons/01-tensors.ts";
import { main as gradients } from "../../examples/lessons/02-gradients.ts";
import { main as yourOwnKernel } from "../../examples/lessons/03-your-own-kernel.ts";
import { main as sgdByHand } from "../../examples/lessons/04-sgd-by-hand.ts";
import { main as networkByHand } from "../../examples/lessons/05-a-network-by-hand.ts";
import { main as overfitting } from "../../examples/lessons/06-overfitting.ts";
import { main as whereTheTimeGoes } from "../../examples/lessons/07-where-the-time-goes.ts";
import { main as mixedPrecision } from "../../examples/lessons/08-mixed-precision.ts";
import { main as fineTuning } from "../../examples/lessons/09-fine-tuning-by-hand.ts";

/** Collects what a lesson prints. */
function collector() {
  const lines: string[] = [];
  const print = (line: string): void => {
    lines.push(line);
  };
  return { print, text: () => lines.join("\n") };
}

test("1: tensors", async () => {
  const { print, text } = collector();
  const { message, corner } = await tensors(print);
  // 3 * 20 + 1 * 5 + 70 * 3 and 2 * 20 + 4 * 5 + 50 * 3, then with -5 for 5.
  expect(text()).toContain("Rents, of shape [2, 1]: 275, 210\n");
  expect(text()).toContain("other weights: 265, 170\n");
  expect(text()).toContain("Mean brightness of each image: 1.5, 15\n");
  expect(text()).toContain("brighter by 5: 5, 6, 7, 8, 15, 15, 15, 35\n");
  expect(message).toMatch(/^matmul: .*\[3, 1\].*\[2, 3\]/);
  expect(corner).toBeCloseTo(1.01 ** 100, 3);
});

test("2: gradients", async () => {
  const { print, text } = collector();
  const { gradient, tape, change, right, wrong } = await gradients(print);
  expect(tape).toEqual(["mean", "square", "sub", "add", "mul"]);
  expect(gradient.weight).toBeCloseTo(-40 / 3, 4);
  expect(gradient.bias).toBeCloseTo(-6, 4);
  expect(gradient.slope).toBe(gradient.weight);
  expect(gradient.height).toBe(gradient.bias);
  expect(change).toBeCloseTo(-0.133, 2);
  expect({ right, wrong }).toEqual({ right: true, wrong: false });
  expect(text()).toContain("gradcheck passed: 2 probes");
  expect(text()).toContain("gradcheck FAILED: 2 probes");
});

test("3: a kernel of one's own", async () => {
  const { print, text } = collector();
  const { values, results, passed } = await yourOwnKernel(print);
  expect(results).toHaveLength(values.length);
  values.forEach((x, i) => {
    expect(results[i]).toBeCloseTo(x / (1 + Math.abs(x)), 6);
  });
  expect(passed).toBe(true);
  expect(text()).toContain("gradcheck passed");
});

test("4: SGD by hand", async () => {
  const { print, text } = collector();
  const { losses, weights } = await sgdByHand(print);
  expect(losses[0]).toBeGreaterThan(1);
  expect(losses.at(-1)).toBeLessThan(0.015);
  expect(Math.abs(weights.a - 2)).toBeLessThan(0.1);
  expect(Math.abs(weights.b + 3)).toBeLessThan(0.1);
  expect(Math.abs(weights.c - 1)).toBeLessThan(0.1);
  expect(
    text()
      .split("\n")
      .filter((line) => /^ +\d+ /.test(line)),
  ).toHaveLength(losses.length);
});

test("5: a network by hand", async () => {
  const { print, text } = collector();
  const rows = await networkByHand(print);
  const first = rows[0];
  const last = rows.at(-1);
  expect(last?.accuracy).toBeGreaterThan(0.87);
  expect(last?.trainingLoss).toBeLessThan(0.3);
  expect(last?.validationLoss).toBeLessThan(first?.validationLoss ?? 0);
  expect(text()).toContain("Parameters: 25,450");
});

test("6: overfitting", async () => {
  const { print, text } = collector();
  const { best, last, rows } = await overfitting(print);
  expect(best.epoch).toBeLessThan(rows.length / 2);
  expect(last.trainingLoss).toBeLessThan(best.trainingLoss / 10);
  expect(last.validationLoss).toBeGreaterThan(1.2 * best.validationLoss);
  expect(Math.abs(last.accuracy - best.accuracy)).toBeLessThan(0.1);
  expect(text()).toContain(`After epoch ${best.epoch} the validation loss turns`);
});

test("7: where the time goes", async ({ skip }) => {
  const device = await openNodeDevice();
  const hasTimestamps = device.has("timestamp-query");
  await device.close();
  skip(!hasTimestamps, "the adapter has no timestamp-query");
  const { print, text } = collector();
  const folder = await mkdtemp(join(tmpdir(), "wgrad-lesson-"));
  try {
    const { measured, convolutions, trace } = await whereTheTimeGoes(print, folder);
    expect(measured.kernels.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 6);
    expect(convolutions).toBeGreaterThan(0.1);
    expect(text()).toContain(String(measured));
    const { traceEvents } = JSON.parse(await readFile(trace, "utf8")) as {
      traceEvents: { ph: string; tid: number }[];
    };
    const onDevice = traceEvents.filter(({ ph, tid }) => ph === "X" && tid === 1);
    expect(onDevice).toHaveLength(measured.spans.length);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("8: mixed precision", async ({ skip }) => {
  const { print, text } = collector();
  const results = await mixedPrecision(print);
  if (results === undefined) {
    expect(text()).toBe("This adapter has no half floats: it lacks the feature shader-f16.");
    skip("the adapter has no shader-f16");
    return;
  }
  expect(results.halves.slice(1, 4)).toEqual([2048, 65504, Infinity]);
  expect(results.halves.at(-1)).toBe(0);
  expect(results.lost).toBe(0);
  expect(results.saved).toBeCloseTo(1e-8, 10);
  expect(results).toMatchObject({ weight: 1, scale: 32768 });
  const { full, half } = results;
  full.losses.forEach((loss, step) => {
    expect(Math.abs((half.losses[step] ?? 0) - loss)).toBeLessThan(0.1);
  });
  expect(half.losses.at(-1)).toBeLessThan(1);
  expect(half.bytes).toBeLessThan(0.6 * full.bytes);
});

test("9: fine-tuning by hand", async () => {
  const { print, text } = collector();
  const { known, start, frozen, tuned, scratch } = await fineTuning(print);
  expect(known).toBeGreaterThan(0.95);
  expect(start).toBeLessThan(0.35);
  expect(frozen).toBeGreaterThan(start + 0.2);
  expect(tuned).toBeGreaterThan(frozen);
  expect(tuned).toBeGreaterThan(scratch);
  expect(text()).toContain(`${(100 * tuned).toFixed(1)} %`);
}, 600_000);

test("the list in examples/README.md is complete, and each lesson tells how to run it", async () => {
  const readme = await readFile("examples/README.md", "utf8");
  const files = (await readdir("examples/lessons")).filter((file) => file.endsWith(".ts"));
  expect(files).toHaveLength(9);
  for (const file of files) {
    expect(readme).toContain(`(lessons/${file})`);
    const lesson = await readFile(join("examples/lessons", file), "utf8");
    expect(lesson).toContain(`node --import ./tools/register.mjs examples/lessons/${file}`);
  }
});
