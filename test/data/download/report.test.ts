/** @file What a download says of itself. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { progressLines } from "../../../data/download/report.ts";

beforeEach(() => vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => vi.useRealTimers());

type Step = readonly [seconds: number, bytes: number];

function linesOf(phase: "download" | "extract", steps: readonly Step[], total?: number): string[] {
  const lines: string[] = [];
  const report = progressLines("to/x", { write: (line) => lines.push(line) });
  let now = 0;
  for (const [seconds, bytes] of steps) {
    vi.advanceTimersByTime(1000 * (seconds - now));
    now = seconds;
    report({ phase, url: "https://a/x", bytes, total });
  }
  return lines;
}

describe("progressLines", () => {
  it("says what comes, how large it is and where to, then how far it is, every five seconds", () => {
    const steps: Step[] = [
      [0, 0],
      [1, 1e6],
      [4.9, 2e6],
      [5.5, 3e6],
      [6, 4e6],
      [11, 9e6],
    ];
    expect(linesOf("download", steps, 1e7)).toEqual([
      "wgrad: downloading https://a/x (10.0 MB) to to/x\n",
      "wgrad: 3.0 MB, 30 %\n",
      "wgrad: 9.0 MB, 90 %\n",
    ]);
  });

  it("says nothing of small files, and less where the size is unknown", () => {
    const small: Step[] = [
      [0, 0],
      [9, 999_999],
    ];
    expect(linesOf("download", small, 999_999)).toEqual([]);
    const unknown: Step[] = [
      [0, 10],
      [1, 2e6],
      [7, 3e6],
    ];
    expect(linesOf("extract", unknown)).toEqual([
      "wgrad: unpacking https://a/x (size unknown) to to/x\n",
      "wgrad: 3.0 MB\n",
    ]);
  });
});
