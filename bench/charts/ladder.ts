/** @file The ladder: all variants of a kernel on one problem, slowest first, against the measured limit. */
import { BarChart } from "echarts/charts";
import { GridComponent, MarkLineComponent, TitleComponent } from "echarts/components";
import { use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { palette } from "../../data/node.ts";
import type { Environment, Limits, Row } from "../row.ts";
import { frame, label, type Picture } from "./chart.ts";

use([BarChart, GridComponent, MarkLineComponent, TitleComponent, SVGRenderer]);

/** One chart for each case that has at least three variants; of the convolutions only those of the stages at 224. */
export function ladderCharts(
  rows: readonly Row[],
  limits: Limits,
  environment: Environment,
): readonly Picture[] {
  const problems = new Map<string, Row[]>();
  for (const row of rows) {
    if (row.bound !== "compute" || row.suite === "limits") continue;
    const key = `${row.op} ${row.shape}`;
    problems.set(key, [...(problems.get(key) ?? []), row]);
  }
  return [...problems.values()]
    .filter((group) => group.length > 2)
    .map((group) => ladderChart(group, limits, environment));
}

function ladderChart(rows: readonly Row[], limits: Limits, environment: Environment): Picture {
  const sorted = [...rows].sort((a, b) => (a.gflops ?? 0) - (b.gflops ?? 0));
  const { op, shape } = sorted[0] ?? { op: "", shape: "" };
  const peak = limits.peakGflops;
  const height = 170 + 44 * sorted.length;
  return {
    ...{ name: fileName(`ladder ${op} ${shape}`), width: 1000, height },
    option: {
      ...frame(
        `${op}: ${shape}`,
        `GFLOP/s; ${environment.driver}, ${environment.cores} cores, ${environment.date.slice(0, 10)}`,
      ),
      grid: { left: 190, right: 90, top: 100, bottom: 44 },
      xAxis: {
        ...{ type: "value", axisLabel: label, splitLine: { lineStyle: { color: palette.rule } } },
        ...(peak !== undefined && {
          max: Math.ceil((1.05 * Math.max(peak, ...sorted.map((r) => r.gflops ?? 0))) / 10) * 10,
        }),
      },
      yAxis: {
        type: "category",
        data: sorted.map(({ variant }) => variant),
        axisLabel: { ...label, color: palette.ink, fontSize: 14 },
        axisTick: { show: false },
      },
      series: [
        {
          type: "bar",
          barWidth: 24,
          data: sorted.map((row) => ({
            value: row.gflops,
            itemStyle: { color: row.chosen ? palette.vermilion : palette.blue },
          })),
          label: {
            ...{ show: true, position: "right", color: palette.ink, fontSize: 13 },
            formatter: ({ value }: { value: unknown }) => Number(value).toFixed(1),
          },
          ...(peak !== undefined && { markLine: peakLine(peak) }),
        },
      ],
    },
  };
}

function peakLine(peak: number) {
  return {
    symbol: "none",
    lineStyle: { color: palette.ink, type: "dashed", width: 1.5 },
    label: { formatter: "FMA peak", color: palette.ink, fontSize: 13 },
    data: [{ xAxis: peak }],
  };
}

function fileName(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "");
}
