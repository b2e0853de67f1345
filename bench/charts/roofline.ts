/**
 * @file The roofline: how fast a kernel is over how many flops it does for each byte that must move. Under the slope memory is the
 * limit, under the flat roof arithmetic. Source: Williams, Waterman and Patterson, Roofline (2009).
 */
import { LineChart, ScatterChart } from "echarts/charts";
import { GridComponent, LegendComponent, TitleComponent } from "echarts/components";
import { use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { palette } from "../../data/node.ts";
import { copyBandwidth, type Environment, type Limits, type Row } from "../row.ts";
import { frame, label, type Picture } from "./chart.ts";

use([LineChart, ScatterChart, GridComponent, LegendComponent, TitleComponent, SVGRenderer]);

type Point = readonly [flopsPerByte: number, gflops: number];

const colors: Readonly<Record<string, string>> = {
  matmul: palette.vermilion,
  conv2d: palette.blue,
  "conv2d dx": palette.green,
  "conv2d dw": palette.purple,
};

/** undefined when the limits or the rows are missing. */
export function rooflineChart(
  rows: readonly Row[],
  limits: Limits,
  environment: Environment,
): Picture | undefined {
  const peak = limits.peakGflops;
  const bandwidth = copyBandwidth(limits, 64 * 2 ** 20);
  const drawn = rows.filter((row) => row.chosen && row.op in colors);
  if (peak === undefined || bandwidth === undefined || drawn.length === 0) return undefined;
  const series = Object.keys(colors).flatMap((op) => {
    const data = drawn.filter((row) => row.op === op).map(pointOf);
    return data.length === 0 ? [] : [{ op, data }];
  });
  const ridge = peak / bandwidth;
  const right = Math.max(4 * ridge, ...drawn.map((row) => 1.5 * pointOf(row)[0]));
  const left = Math.min(ridge / 8, ...drawn.map((row) => pointOf(row)[0] / 1.5));
  const roof: readonly Point[] = [
    [left, left * bandwidth],
    [ridge, peak],
    [right, peak],
  ];
  const lowest = Math.min(left * bandwidth, ...drawn.map((row) => pointOf(row)[1]));
  return {
    ...{ name: "roofline", width: 1000, height: 640 },
    option: {
      ...frame(
        "Roofline",
        `${environment.driver}, ${environment.cores} cores, ${environment.date.slice(0, 10)}`,
      ),
      legend: { left: 24, top: 74, textStyle: { color: palette.ink, fontSize: 13 }, itemGap: 24 },
      grid: { left: 84, right: 40, top: 116, bottom: 64 },
      xAxis: axis("flops for each byte that must move", roundDown(left), roundUp(right), 34),
      yAxis: axis("GFLOP/s", roundDown(lowest / 1.2), roundUp(1.3 * peak), 52),
      series: [
        {
          ...{ name: "measured limits", type: "line", data: roof, symbol: "none" },
          lineStyle: { width: 2.5, color: palette.ink },
          itemStyle: { color: palette.ink },
        },
        ...series.map(({ op, data }) => ({
          ...{ name: op, type: "scatter", data, symbolSize: 10 },
          itemStyle: { color: colors[op], opacity: 0.75 },
        })),
      ],
    },
  };
}

function pointOf({ flops, bytes, gflops }: Row): Point {
  return [flops / bytes, gflops ?? NaN];
}

function axis(name: string, min: number, max: number, nameGap: number) {
  return {
    ...{ type: "log", name, nameLocation: "middle", nameGap, min, max },
    ...{ nameTextStyle: label, axisLabel: label },
    splitLine: { lineStyle: { color: palette.rule } },
  };
}

const roundDown = (value: number): number => 10 ** Math.floor(Math.log10(value));
const roundUp = (value: number): number => 10 ** Math.ceil(Math.log10(value));
