/** @file CsvLogger: its lines, and that a run which is killed and resumed writes the file of one without a break. */
import { expect, test } from "vitest";
import { manualSeed } from "../../engine/index.ts";
import { Checkpointer, CsvLogger, type Callback, type StoredCheckpoint } from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { makeLearner } from "./resume-run.ts";

useDevice();

/** Without the last column, the time. */
const timeless = (text: string) => text.replaceAll(/,[^,\n]*$/gm, "");

test("a line for each epoch, with all digits", async () => {
  const written: string[] = [];
  const logger = new CsvLogger((text) => void written.push(text));
  const learner = makeLearner({ callbacks: [logger] });
  await learner.fit(2, 0.01);
  await learner.fit(1, 0.01);
  const [head, first, ...more] = logger.text.trimEnd().split("\n");
  expect(head).toBe("epoch,train_loss,valid_loss,accuracy,time");
  expect(more).toHaveLength(2);
  expect(first).toMatch(/^0,\d\.\d{7,},\d\.\d{7,},[\d.]+,00:0\d$/);
  expect(written).toHaveLength(3);
  expect(written[2]).toBe(logger.text);
  expect(logger.text.startsWith(written[0] ?? "none")).toBe(true);
});

test("the phases of fineTune, under one head", async () => {
  const logger = new CsvLogger();
  await makeLearner().fineTune(2, 0.01, { callbacks: [logger] });
  const lines = logger.text.trimEnd().split("\n");
  expect(lines.map((line) => line.split(",").slice(0, 2).join())).toEqual([
    "phase,epoch",
    "frozen,0",
    "unfrozen,0",
    "unfrozen,1",
  ]);
});

/** Throws after the epoch's line was written and before its checkpoint, or within the epoch. */
function killIn(killed: number, event: "afterEpoch" | "afterBatch"): Callback {
  return {
    order: 70,
    [event]: ({ epochsSeen, iteration }: { epochsSeen: number; iteration: number }) => {
      const epoch = event === "afterEpoch" ? epochsSeen - 1 : epochsSeen;
      if (epoch === killed && (event === "afterEpoch" || iteration === 2)) {
        throw new Error("killed");
      }
    },
  };
}

test.each([
  [0, "afterEpoch"],
  [1, "afterBatch"],
  [1, "afterEpoch"],
  [2, "afterEpoch"],
] as const)("the same file after a kill in epoch %d, %s", async (epoch, event) => {
  let file = "";
  const logger = () =>
    new CsvLogger(async (text) => {
      await Promise.resolve();
      file = text;
    });
  const train = (callbacks: readonly Callback[], saved?: StoredCheckpoint) => {
    const learner = makeLearner();
    if (saved !== undefined) learner.resume(saved);
    return learner.fineTune(2, 0.02, { callbacks: [logger(), ...callbacks] });
  };
  manualSeed(3);
  await train([]);
  const whole = file;
  expect(whole.split("\n")).toHaveLength(5);

  manualSeed(3);
  let saved: StoredCheckpoint | undefined;
  const write = (checkpoint: StoredCheckpoint): void => {
    saved = checkpoint;
  };
  const keeping = new Checkpointer({ write, everyBatches: 1 });
  await expect(train([keeping, killIn(epoch, event)])).rejects.toThrow("killed");
  await train([], saved);
  expect(timeless(file)).toBe(timeless(whole));
});
