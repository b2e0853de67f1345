/** @file The command line, the rows and the judgement of the benchmark, without a device. */
import { describe, expect, test } from "vitest";
import { driftWarning } from "../../bench/control.ts";
import { matches, parseOptions, suites } from "../../bench/options.ts";
import { formatColumns } from "../../bench/report/table.ts";
import { copyBandwidth, makeRow, type Row } from "../../bench/row.ts";
import { judge } from "../../bench/targets.ts";

describe("options", () => {
  test("have defaults", () => {
    expect(parseOptions([])).toMatchObject({ suites, filter: "", variants: "chosen" });
    expect(parseOptions(["--help"])).toBe("help");
    expect(parseOptions(["--suite", "matmul,nets", "--variants", "naive,tiled"])).toMatchObject({
      ...{ suites: ["matmul", "nets"], variants: ["naive", "tiled"] },
    });
  });

  test.each([
    [["--suite", "matmull"], "--suite: there is no suite matmull"],
    [["--budget", "0"], "--budget: not a positive number: 0"],
    [["--kernel", "a.wgsl"], "--kernel needs --as"],
    [["--as", "matmul"], "name its file"],
    [["--fliter", "x"], "--fliter"],
  ])("refuse %j", (args, message) => {
    expect(() => parseOptions(args)).toThrow(message);
  });

  test("a filter wants all of its words", () => {
    expect(matches("conv2d 3x3", "conv2d dx", "8x8 3x3")).toBe(true);
    expect(matches("conv2d 7x7", "conv2d dx", "8x8 3x3")).toBe(false);
    expect(matches("", "relu", "")).toBe(true);
  });
});

const timing = {
  ...{ gpuMs: 2, leastMs: 2, wallMs: 3, spread: 0, repetitions: 1, rounds: 7, dispatches: 1 },
};

describe("rows", () => {
  const limits = {
    peakGflops: 100,
    copies: [
      { bytes: 1e6, gbps: 40 },
      { bytes: 1e8, gbps: 20 },
    ],
  };
  const about = { suite: "s", op: "o", shape: "x", variant: "v", chosen: true, error: 0 };

  test("give speed and share of the measured limit", () => {
    const compute = makeRow(about, { bound: "compute", flops: 1e8, bytes: 1e6 }, timing, limits);
    expect(compute).toMatchObject({ gflops: 50, gbps: 0.5, share: 0.5 });
    const memory = makeRow(about, { bound: "memory", flops: 0, bytes: 2e7 }, timing, limits);
    expect(memory).toMatchObject({ gflops: undefined, gbps: 10, share: 0.5 });
  });

  test("compare with the copy of about as many bytes", () => {
    expect(copyBandwidth(limits, 2e6)).toBe(40);
    expect(copyBandwidth(limits, 2e7)).toBe(20);
    expect(copyBandwidth({ peakGflops: 1, copies: [] }, 1)).toBeUndefined();
  });

  test("stand in columns", () => {
    expect(
      formatColumns(
        [
          ["a", "b"],
          ["long", "10"],
        ],
        1,
      ),
    ).toBe("a      b\nlong  10");
  });
});

describe("targets", () => {
  const row = (op: string, shape: string, share: number, gpuMs = 1, variant = "subgroup"): Row => ({
    ...{ suite: "convolution", op, shape, variant, chosen: true, error: 0, bound: "compute" },
    ...{ ...timing, gpuMs, flops: 1, bytes: 1, gflops: 1, gbps: 1, share },
  });
  const judged = (...rows: Row[]) => judge({ rows, nets: [], coldStart: undefined });

  test("are met only by what was measured", () => {
    expect(judged()).toEqual([]);
    const [target] = judged(row("matmul", "512 x 512 x 512 nn", 0.6));
    expect(target).toMatchObject({
      met: true,
      measured: expect.stringContaining("60 %") as string,
    });
    expect(judged(row("matmul", "512 x 512 x 512 nn", 0.4))[0]?.met).toBe(false);
    expect(judged(row("matmul", "256 x 256 x 256 nn", 0.4))).toEqual([]);
  });

  test("forward convolutions: on average, each, and with Winograd", () => {
    const shape = "resnet34 64: 8x16x16x64 -> 64 3x3";
    const targets = judged(
      row("conv2d", shape, 0.9, 1, "winograd-4x4"),
      row("conv2d", `${shape}/2`, 0.3),
    );
    expect(targets.map(({ met }) => met)).toEqual([true, false, true]);
  });

  test("gradients: over the forward convolution of the same shape", () => {
    const shape = "resnet34 64: 8x16x16x64 -> 64 3x3";
    const find = (rows: Row[]) => judged(...rows).find(({ what }) => what.startsWith("conv2d dx"));
    expect(find([row("conv2d", shape, 1, 2), row("conv2d dx", shape, 1, 3)])?.met).toBe(true);
    expect(find([row("conv2d", shape, 1, 2), row("conv2d dx", shape, 1, 3.1)])?.met).toBe(false);
    expect(find([row("conv2d dx", shape, 1, 3)])).toBeUndefined();
  });

  test("a variant that wgrad would not choose does not count", () => {
    const slow = { ...row("matmul", "512 x 512 x 512 nn", 0.1), chosen: false };
    expect(judged(slow)).toEqual([]);
  });
});

describe("the control", () => {
  const readings = (first: number, last: number) => [
    { after: "limits", gpuMs: first },
    { after: "norm", gpuMs: last },
  ];

  test("is silent while the machine stays as it was", () => {
    expect(driftWarning([])).toBeUndefined();
    expect(driftWarning(readings(4, 4.3))).toBeUndefined();
    expect(driftWarning(readings(4, 3.7))).toBeUndefined();
  });

  test("says how much slower or faster it became", () => {
    expect(driftWarning(readings(4, 6))).toContain("after norm the machine was 1.50 x slower");
    expect(driftWarning(readings(6, 4))).toContain("1.50 x faster");
  });
});
