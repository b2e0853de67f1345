import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { decodePng, palette, type Pixels } from "../../data/node.ts";
import { Recorder, type LrFindResult } from "../../nn/index.ts";
import { plotLosses, plotLrFind } from "../../vision/node.ts";
import { lossSvg, smoothLosses, type LossHistory } from "../../vision/charts/loss-chart.ts";
import { lrFindSvg } from "../../vision/charts/lr-find-chart.ts";

/** Where the pixels of a colour of the palette are. */
function pixelsOf({ width, data }: Pixels, color: string): { x: number; y: number }[] {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return Array.from({ length: data.length / 4 }, (_, i) => i)
    .filter((i) => data[4 * i] === red && data[4 * i + 1] === green && data[4 * i + 2] === blue)
    .map((i) => ({ x: i % width, y: Math.floor(i / width) }));
}

function textsOf(svg: string): readonly string[] {
  return [...svg.matchAll(/>([^<>]+)<\/text>/g)].map(([, content = ""]) => content);
}

describe("smoothLosses", () => {
  it("is the mean of the neighbours on both sides", () => {
    expect(smoothLosses([1, 2, 6, 4], 1)).toEqual([1, 3, 4, 5]);
    expect(smoothLosses([1, NaN, 3], 1)).toEqual([1, 2, 3]);
  });

  it("stays between the lowest and the highest loss", () => {
    const losses = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1 });
    fc.assert(
      fc.property(losses, fc.nat({ max: 20 }), (values, radius) => {
        const slack = 1e-9 * Math.max(...values);
        for (const smooth of smoothLosses(values, radius)) {
          expect(smooth).toBeGreaterThanOrEqual(Math.min(...values) - slack);
          expect(smooth).toBeLessThanOrEqual(Math.max(...values) + slack);
        }
      }),
    );
  });
});

describe("plotLosses", () => {
  /** What a fit of two epochs of two batches leaves. */
  function recorded(metric: string): { recorder: Recorder; train: { length: number } } {
    const recorder = new Recorder();
    recorder.metricNames = [metric];
    recorder.losses = [2, 1, 0.5, 0.25];
    recorder.rows = [
      { epoch: 0, trainLoss: 1.5, validLoss: 0.75, metrics: [0.9], seconds: 12.5 },
      { epoch: 1, trainLoss: 0.375, validLoss: 0.5, metrics: [0.9375], seconds: 12.25 },
    ];
    return { recorder, train: { length: 2 } };
  }

  it("draws both curves where their losses are: the later, the lower", async () => {
    const { recorder, train } = recorded("accuracy");
    const curve = decodePng(await plotLosses({ recorder, train: train as never }));
    expect([curve.width, curve.height]).toEqual([2000, 1200]);
    const below = (color: string) =>
      pixelsOf(curve, color)
        .map(({ y }) => y)
        .filter((y) => y > 220);
    const [training, validation] = [below(palette.blue), below(palette.vermilion)];
    expect(Math.min(...training)).toBeLessThan(Math.min(...validation));
    expect(Math.max(...training)).toBeGreaterThan(Math.max(...validation));
  });

  const history: LossHistory = {
    stepLosses: [2, 1, 0.5, 0.25],
    stepsPerEpoch: 2,
    metric: "accuracy",
    epochs: [
      { validLoss: 0.75, note: "90.00 %" },
      { validLoss: 0.5, note: "93.75 %" },
    ],
  };

  it("writes round losses beside the axis and the metric beside each epoch", async () => {
    expect(textsOf(await lossSvg(history, "A < B"))).toEqual(
      expect.arrayContaining([
        ...["2", "1", "0.5", "90.00 %", "93.75 %", "epoch", "loss", "A &lt; B"],
        "validation, with accuracy",
      ]),
    );
  });

  it("leaves out notes where there is no room for all, but never the last one", async () => {
    const epochs = Array.from({ length: 23 }, (_, i) => ({ validLoss: 1, note: `note ${i + 1}` }));
    const texts = textsOf(await lossSvg({ ...history, epochs }, "T"));
    const notes = texts.filter((text) => text.startsWith("note"));
    expect(notes).toEqual([2, 5, 8, 11, 14, 17, 20, 23].map((i) => `note ${i}`));
  });

  it("draws what can be drawn of a run that diverged, and of none", async () => {
    const diverged = { ...history, stepLosses: [2, Infinity, NaN, NaN] };
    expect(await lossSvg(diverged, "T")).not.toMatch(/NaN|Infinity/);
    const none = { stepLosses: [], stepsPerEpoch: 2, metric: "", epochs: [] };
    expect(await lossSvg(none, "T")).not.toMatch(/NaN|Infinity/);
  });
});

describe("plotLrFind", () => {
  /** A parabola over log10(lr) from 1e-7 to 10, lowest at 1e-2. */
  const lrs = Array.from({ length: 81 }, (_, i) => 10 ** (-7 + i / 10));
  const losses = lrs.map((lr) => 0.1 + 0.1 * (Math.log10(lr) + 2) ** 2);
  const result: LrFindResult = {
    ...{ lrs, losses, valley: 1e-4, slide: 1e-3, minimum: 1e-3, steep: 1e-6 },
  };

  it("puts each suggestion on the curve, at its learning rate", async () => {
    const picture = decodePng(await plotLrFind(result));
    const middleOf = (color: string) => {
      // Beside the legend at the top.
      const points = pixelsOf(picture, color).filter(({ y }) => y > 220);
      const mean = (axis: "x" | "y") =>
        points.reduce((sum, point) => sum + point[axis], 0) / points.length;
      return { x: mean("x"), y: mean("y") };
    };
    const [valley, steep] = [middleOf(palette.vermilion), middleOf(palette.purple)];
    // The chart is 2 (1000 - 88 - 60) pixels wide for 8 powers of ten.
    const powers = (valley.x - steep.x) / ((2 * 852) / 8);
    expect(powers).toBeCloseTo(2, 1);
    const curve = pixelsOf(picture, palette.blue).filter(
      ({ x }) => x === Math.round(valley.x - 20),
    );
    expect(curve.some(({ y }) => Math.abs(y - valley.y) < 40)).toBe(true);
  });

  it("names the suggestions with their rates, and leaves out those that are none", async () => {
    const texts = textsOf(await lrFindSvg(result));
    expect(texts).toEqual(
      expect.arrayContaining(["valley 1e-4", "slide 1e-3", "minimum / 10 1e-3", "steep 1e-6"]),
    );
    const short = { lrs: [1e-3], losses: [1], valley: NaN, slide: NaN, minimum: NaN, steep: NaN };
    expect(await lrFindSvg(short)).not.toMatch(/NaN|Infinity/);
  });
});
