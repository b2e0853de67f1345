/** @file lrFind: the curve, fastai's suggestions, and that nothing is left of it afterwards. */
import { describe, expect, test } from "vitest";
import { crossEntropy, manualSeed, mul } from "../../engine/index.ts";
import { linesOnly, suggestLr, type Callback, type Learner } from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { makeLearner, Points, stateOf } from "./resume-run.ts";

useDevice();

describe("suggestLr", () => {
  const lrs = Array.from({ length: 40 }, (_, i) => 10 ** (i / 10 - 4));

  test("of a loss that is flat, falls in 20 steps and rises", () => {
    // 1 up to point 9, down to 0 at point 29, fastest from 19 to 20, then up.
    const fall = (i: number) => 1 / (1 + Math.exp((i - 19.5) / 2));
    const losses = lrs.map((_, i) => (i < 10 ? 1 : i < 30 ? fall(i) : fall(29) + (i - 29) * 0.2));
    const { minimum, steep, valley, slide } = suggestLr({ lrs, losses });
    expect(minimum).toBeCloseTo((lrs[29] ?? 0) / 10, 12);
    expect(steep).toBe(lrs[19]);
    // The longest descent is one of the flat points and the 20 that follow: start 8, floor(7) + floor(3.5) further.
    expect(valley).toBe(lrs[29 - 21 + 7 + 3]);
    // The interval stops between the points 12 and 27, where the slopes are -0.011 and -0.010.
    expect(slide).toBe(lrs[13]);
  });

  test("of a descent and nothing else", () => {
    const losses = lrs.slice(0, 10).map((_, i) => 1 - i / 100);
    const { minimum, steep, valley, slide } = suggestLr({ lrs: lrs.slice(0, 10), losses });
    expect(minimum).toBeCloseTo((lrs[9] ?? 0) / 10, 12);
    expect(lrs.slice(0, 9)).toContain(steep);
    expect(valley).toBe(lrs[-1 + 3 + 1]);
    expect(slide).toBe(lrs[0]);
  });

  test("of an interval whose ends agree at once", () => {
    const { slide } = suggestLr({ lrs, losses: lrs.map((_, i) => 1 - i / 100) });
    expect(slide).toBe(lrs[40 - 1 - 15]);
  });

  test("of too little is NaN", () => {
    expect(suggestLr({ lrs: [1], losses: [1] }).valley).toBeNaN();
  });
});

describe("lrFind", () => {
  test("grows the learning rate geometrically, over as many epochs as it takes", async () => {
    const printed: string[] = [];
    const progress = linesOnly((line) => printed.push(line));
    const learner = makeLearner({ train: new Points(3), progress });
    const { lrs, losses, ...suggestions } = await learner.lrFind({ numIt: 20, stopDiv: false });
    expect(lrs).toHaveLength(20);
    lrs.forEach((lr, i) => {
      expect(lr / (1e-7 * 1e8 ** (i / 20))).toBeCloseTo(1, 10);
    });
    expect(losses.every(Number.isFinite)).toBe(true);
    for (const value of Object.values(suggestions)) expect(value).toBeGreaterThan(0);
    expect(printed).toEqual([]);
  });

  test("ends when the loss is 4 times its minimum, or no number", async () => {
    const learner = makeLearner();
    const { losses } = await learner.lrFind({ startLr: 1e-4, endLr: 1e4 });
    expect(losses.length).toBeLessThan(100);
    const last = losses.at(-1) ?? NaN;
    expect(last).toBeGreaterThan(4 * Math.min(...losses));
    expect(losses.at(-2)).toBeLessThanOrEqual(4 * Math.min(...losses));
    const broken: Learner = makeLearner({
      loss: (predictions, y) => {
        const loss = crossEntropy(predictions, y);
        return broken.step >= 8 ? mul(loss, NaN) : loss;
      },
    });
    const found = await broken.lrFind({ numIt: 50 });
    expect(found.losses).toHaveLength(8);
    expect(Object.values(found.losses).every(Number.isFinite)).toBe(true);
    expect(found.valley).toBeGreaterThan(0);
    expect(broken.stopReason).toBeUndefined();
  });

  test("refuses a loader without batches, as fit does", async () => {
    const learner = makeLearner({ train: new Points(0) });
    await expect(learner.lrFind()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: lrFind: the training loader has no batches: its length is 0. Look for the samples that the split, a filter or dropLast left out]`,
    );
    await expect(learner.fit(1)).rejects.toThrow("fit: the training loader has no batches");
    await expect(learner.fineTune(1)).rejects.toThrow("fineTune: the training loader has no");
    expect(learner.recorder.rows).toEqual([]);
  });

  test.each([false, true])("leaves no trace in what is trained then; replay %s", async (replay) => {
    const run = async (find: boolean) => {
      manualSeed(5);
      const learner = makeLearner({ replay });
      await learner.fitOneCycle(1, 0.01);
      if (find) {
        const before = await stateOf(learner);
        await learner.lrFind({ numIt: 30 });
        expect(await stateOf(learner)).toEqual(before);
      }
      await learner.fineTune(1, 0.01);
      return stateOf(learner);
    };
    expect(await run(true)).toEqual(await run(false));
  });

  test("runs no callback that declines", async () => {
    const seen: string[] = [];
    const named = (name: string, more: Partial<Callback> = {}): Callback => ({
      ...more,
      beforeFit: () => {
        seen.push(name);
      },
    });
    const callbacks = [named("runs"), named("declines", { duringLrFind: false })];
    await makeLearner({ callbacks }).lrFind({ numIt: 6 });
    expect(seen).toEqual(["runs"]);
    await expect(makeLearner().lrFind({ numIt: 5 })).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: lrFind: startLr 1e-7, endLr 10, numIt 5 make no range. Use learning rates above 0 and at least 6 batches]`,
    );
  });
});
