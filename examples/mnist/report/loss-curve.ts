/** @file Loss curve: training loss of every step, raw and smoothed, and validation loss after every epoch. */
import { LineChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { LabelLayout } from "echarts/features";
import { SVGRenderer } from "echarts/renderers";
import { smoothLosses, type TrainingHistory } from "./history.ts";
import { palette } from "../../../tools/pictures/palette.ts";
import { fontFamily } from "../../../tools/pictures/rasterize.ts";

use([LineChart, GridComponent, LegendComponent, TitleComponent, LabelLayout, SVGRenderer]);

const width = 1000;
const height = 600;

/** The curve as SVG, over epochs, with a logarithmic loss axis. Losses that are not positive and finite are left out. */
export function lossCurveSvg(history: TrainingHistory, title = "Loss"): string {
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption(chartOption(history, title));
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

const seriesNames = {
  raw: "training, each step",
  smooth: "training, smoothed",
  valid: "validation, with accuracy",
};

type Point = [x: number, y: number];

function chartOption(history: TrainingHistory, title: string) {
  const { stepLosses, epochs } = history;
  const { stepsPerEpoch = stepLosses.length / Math.max(1, epochs.length) } = history;
  const epochCount = Math.max(1, epochs.length, Math.ceil(stepLosses.length / stepsPerEpoch) || 0);
  const overEpochs = (losses: readonly number[]) =>
    drawable(losses.map((loss, i): Point => [(i + 1) / stepsPerEpoch, loss]));
  const raw = overEpochs(stepLosses);
  const smooth = overEpochs(smoothLosses(stepLosses, Math.ceil(stepLosses.length / 60)));
  const valid = drawable(epochs.map(({ epoch, validLoss }): Point => [epoch + 1, validLoss]));
  const lossRange = logRange([raw, smooth, valid].flat());
  const customValues = roundValues(lossRange);
  const label = { color: palette.quiet, fontSize: 14 };
  return {
    animation: false,
    backgroundColor: palette.paper,
    textStyle: { fontFamily },
    title: {
      text: title,
      left: 24,
      top: 20,
      textStyle: { color: palette.ink, fontSize: 24, fontWeight: "bold" as const },
    },
    legend: {
      left: 29,
      top: 62,
      padding: 0,
      data: [
        { name: seriesNames.raw, itemStyle: { opacity: 0 } },
        { name: seriesNames.smooth, itemStyle: { opacity: 0 } },
        { name: seriesNames.valid },
      ],
      itemGap: 28,
      itemWidth: 30,
      textStyle: { color: palette.ink, fontSize: 14 },
    },
    grid: { left: 88, right: 60, top: 106, bottom: 68 },
    xAxis: {
      type: "value" as const,
      min: 0,
      max: epochCount,
      minInterval: 1,
      name: "epoch",
      nameLocation: "middle" as const,
      nameGap: 34,
      nameTextStyle: label,
      axisLabel: label,
      axisLine: { lineStyle: { color: palette.quiet } },
      splitLine: { lineStyle: { color: palette.rule } },
    },
    yAxis: {
      type: "log" as const,
      name: "loss",
      nameLocation: "middle" as const,
      nameGap: 56,
      nameTextStyle: label,
      axisLabel: { ...label, customValues },
      axisTick: { customValues },
      axisLine: { show: false },
      ...lossRange,
      splitLine: { customValues, lineStyle: { color: palette.rule } },
    },
    series: [
      {
        name: seriesNames.raw,
        type: "line" as const,
        data: raw,
        symbol: "none",
        lineStyle: { width: 1, opacity: 0.3 },
        itemStyle: { color: palette.blue },
      },
      {
        name: seriesNames.smooth,
        type: "line" as const,
        data: smooth,
        symbol: "none",
        lineStyle: { width: 2.5 },
        itemStyle: { color: palette.blue },
      },
      {
        name: seriesNames.valid,
        type: "line" as const,
        data: valid,
        symbol: "circle",
        symbolSize: 10,
        lineStyle: { width: 2.5, type: "dashed" as const },
        label: {
          show: true,
          position: "top" as const,
          distance: 8,
          fontSize: 13,
          fontWeight: "bold" as const,
          color: palette.vermilion,
          textBorderColor: palette.paper,
          textBorderWidth: 3,
          formatter: ({ value }: { value: unknown }) => accuracyAt(epochs, value),
        },
        labelLayout: { hideOverlap: true },
        itemStyle: { color: palette.vermilion },
      },
    ],
  };
}

/** Accuracy after the epoch that ends at the point's x, in per cent. */
function accuracyAt(epochs: TrainingHistory["epochs"], point: unknown): string {
  const [x] = Array.isArray(point) ? (point as readonly unknown[]) : [];
  const row = epochs.find(({ epoch }) => epoch + 1 === x);
  return row === undefined ? "" : `${(100 * row.accuracy).toFixed(2)} %`;
}

function drawable(points: Point[]): Point[] {
  return points.filter(([, loss]) => loss > 0 && Number.isFinite(loss));
}

interface Range {
  readonly min: number;
  readonly max: number;
}

/** From a little below the lowest loss to a little above the highest. */
function logRange(points: readonly Point[]): Range {
  const losses = points.map(([, loss]) => loss);
  const lowest = losses.reduce((a, b) => Math.min(a, b), Infinity);
  const highest = losses.reduce((a, b) => Math.max(a, b), 0);
  return highest === 0 ? { min: 0.01, max: 1 } : { min: lowest / 1.2, max: highest * 1.2 };
}

/** The numbers 1, 2 and 5 times powers of ten in a range; only powers of ten when that is many. */
function roundValues({ min, max }: Range): number[] {
  const first = Math.floor(Math.log10(min));
  const powers = Array.from(
    { length: Math.ceil(Math.log10(max)) - first + 1 },
    (_, i) => first + i,
  );
  const steps = powers.length > 5 ? [1] : [1, 2, 5];
  return powers
    .flatMap((power) => steps.map((step) => Number(`${step}e${power}`)))
    .filter((value) => value >= min && value <= max);
}
