/** @file The curve of `lrFind` as a picture, with the suggested learning rates. */
import { palette, rasterizeSvg } from "../../data/node.ts";
import type { LrFindResult } from "../../nn/index.ts";
import { axisName, axisText, chartSvg, drawable, frame, type Point } from "./chart.ts";

/**
 * The smoothed loss over the learning rate, on a logarithmic axis, as PNG, with a point for each suggestion.
 *
 * @throws ArgumentError when echarts, or what makes a PNG of its SVG, is not installed.
 */
export async function plotLrFind(result: LrFindResult): Promise<Uint8Array<ArrayBuffer>> {
  return rasterizeSvg(await lrFindSvg(result));
}

/** The chart as SVG. */
export function lrFindSvg(result: LrFindResult): Promise<string> {
  return chartSvg("plotLrFind", option(result));
}

function option(result: LrFindResult): object {
  const { lrs, losses } = result;
  const curve = drawable(lrs.map((lr, i): Point => [lr, losses[i] ?? NaN]));
  const { valley, slide, minimum, steep } = result;
  const suggestions = [
    { name: "valley", lr: valley, color: palette.vermilion },
    { name: "slide", lr: slide, color: palette.ink },
    { name: "minimum / 10", lr: minimum, color: palette.green },
    { name: "steep", lr: steep, color: palette.purple },
  ].filter(({ lr }) => Number.isFinite(lr));
  return {
    ...frame("Learning rate"),
    legend: {
      ...{ left: 29, top: 62, padding: 0, itemGap: 28, itemWidth: 14 },
      data: suggestions.map((suggestion) => ({ name: legendOf(suggestion), icon: "circle" })),
      textStyle: { color: palette.ink, fontSize: 14 },
    },
    xAxis: {
      ...{ type: "log", min: "dataMin", max: "dataMax", ...axisName("learning rate", 34) },
      axisLabel: { ...axisText, formatter: formatRate },
      axisLine: { lineStyle: { color: palette.quiet } },
      splitLine: { lineStyle: { color: palette.rule } },
    },
    yAxis: {
      ...{ type: "value", scale: true, ...axisName("loss", 56), axisLabel: axisText },
      splitLine: { lineStyle: { color: palette.rule } },
    },
    series: [
      {
        ...{ type: "line", data: curve, symbol: "none", lineStyle: { width: 2.5 } },
        itemStyle: { color: palette.blue },
      },
      ...suggestions.map((suggestion) => ({
        ...{ name: legendOf(suggestion), type: "line", symbol: "circle", symbolSize: 14 },
        data: [[suggestion.lr, lossAt(curve, suggestion.lr)]],
        itemStyle: { color: suggestion.color },
      })),
    ],
  };
}

function legendOf({ name, lr }: { readonly name: string; readonly lr: number }): string {
  return `${name} ${formatRate(lr)}`;
}

/** `1e-3`, `5.7e-4` */
function formatRate(lr: number): string {
  return Number(lr.toPrecision(2)).toExponential().replace("e+0", "").replace("e+", "e");
}

/** The loss at the learning rate, between two points of the curve on the line through them over log(lr). */
function lossAt(curve: readonly Point[], lr: number): number {
  const after = curve.findIndex(([x]) => x >= lr);
  const [right, left] = [curve[after], curve[after - 1]];
  if (right === undefined) return curve.at(-1)?.[1] ?? NaN;
  if (left === undefined) return right[1];
  const part = Math.log(lr / left[0]) / Math.log(right[0] / left[0]);
  return left[1] + part * (right[1] - left[1]);
}
