import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { ProgressState } from "../../nn/index.ts";
import { terminalProgress } from "../../nn/node.ts";

const state: ProgressState = {
  ...{ done: 3, total: 12, epoch: 0, epochs: 2, training: true, loss: 0.5 },
  ...{ secondsPerBatch: 5.021, secondsLeft: 45, compiling: undefined, tuning: undefined },
};

/** What is written to a stream that is or is no terminal. */
function output(isTTY: boolean) {
  const texts: string[] = [];
  const stream = Object.assign(new PassThrough(), { isTTY, columns: 120, rows: 40 });
  stream.on("data", (text: Buffer) => texts.push(String(text)));
  return { stream, texts };
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["performance"] });
});

afterEach(() => {
  vi.useRealTimers();
});

describe("where there is no terminal", () => {
  test("a line every ten seconds, and each line that stays", async () => {
    const { stream, texts } = output(false);
    const progress = await terminalProgress(stream);
    progress.start();
    progress.update(state);
    progress.write("a row");
    vi.advanceTimersByTime(10_001);
    progress.update(state);
    progress.update({ ...state, done: 4 });
    vi.advanceTimersByTime(10_001);
    const compiling = { requested: 9, finished: 4 };
    progress.update({ ...state, training: false, secondsPerBatch: 0.0841, compiling });
    progress.stop();
    expect(texts.join("")).toBe(
      "a row\n" +
        "epoch 1/2 train, 25 %: loss 0.5000 | 5.02 s/batch | 00:45 left\n" +
        "epoch 1/2 valid, 25 %: loss 0.5000 | compiling kernels: 4 of 9 done | 84 ms/batch | 00:45 left\n",
    );
  });

  test("says only what is known", async () => {
    const { stream, texts } = output(false);
    const progress = await terminalProgress(stream);
    vi.advanceTimersByTime(10_001);
    const nothing = { loss: undefined, secondsPerBatch: undefined, secondsLeft: undefined };
    const tuning = { done: 1, total: 3 } as ProgressState["tuning"];
    progress.update({ ...state, ...nothing, tuning });
    expect(texts.join("")).toBe("epoch 1/2 train, 25 %: measuring kernels: 1 of 3 done\n");
  });
});

describe("in a terminal", () => {
  test("a bar for each fit, and lines that stay above it, also between fits", async () => {
    const { stream, texts } = output(true);
    const progress = await terminalProgress(stream);
    for (const row of ["first row", "second row"]) {
      texts.length = 0;
      progress.start();
      progress.update(state);
      progress.write(row);
      progress.update({ ...state, done: 6 });
      progress.stop();
      progress.write("between");
      const text = texts.join("");
      expect(text).toContain(`${row}\n`);
      expect(text).toMatch(/epoch 1\/2 train \[■+ +\] 25 % \| loss 0\.5000 \| 5\.02 s\/batch/);
      expect(text.endsWith("between\n")).toBe(true);
    }
  });
});
