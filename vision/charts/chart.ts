/** @file What the charts share: size, fonts, axes, and the way to SVG and PNG through the package echarts. Node only. */
import { fontFamily, loadPeer, palette } from "../../data/node.ts";

/** Pixels of the SVG; the PNG has twice as many. */
const [width, height] = [1000, 600];

export type Point = [x: number, y: number];

interface Range {
  readonly min: number;
  readonly max: number;
}

/** Size and colour of what is written at the axes. */
export const axisText = { color: palette.quiet, fontSize: 14 };

/** The option of a chart, as SVG. */
export async function chartSvg(op: string, option: object): Promise<string> {
  const init = await loadEcharts(op);
  const chart = init(null, null, { renderer: "svg", ssr: true, width, height });
  try {
    chart.setOption({ animation: false, backgroundColor: palette.paper, ...option });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function loadEcharts(op: string) {
  return loadPeer(op, "echarts", async () => {
    const [{ init, use }, { LineChart }, parts, { LabelLayout }, { SVGRenderer }] =
      await Promise.all([
        import("echarts/core"),
        import("echarts/charts"),
        import("echarts/components"),
        import("echarts/features"),
        import("echarts/renderers"),
      ]);
    const { GridComponent, LegendComponent, MarkPointComponent, TitleComponent } = parts;
    use([LineChart, GridComponent, LegendComponent, MarkPointComponent, TitleComponent]);
    use([LabelLayout, SVGRenderer]);
    return init;
  });
}

/** Title and font of every chart, and room for a legend below the title. */
export function frame(title: string) {
  return {
    textStyle: { fontFamily },
    title: {
      ...{ text: title, left: 24, top: 20 },
      textStyle: { color: palette.ink, fontSize: 24, fontWeight: "bold" },
    },
    grid: { left: 88, right: 60, top: 106, bottom: 68 },
  };
}

/** The name of an axis, in its middle. */
export function axisName(name: string, gap: number) {
  return { name, nameLocation: "middle", nameGap: gap, nameTextStyle: axisText };
}

/** A logarithmic axis over the points' losses, with round numbers. */
export function lossAxis(points: readonly Point[]) {
  const range = logRange(points.map(([, loss]) => loss));
  const customValues = roundValues(range);
  return {
    type: "log",
    ...axisName("loss", 56),
    axisLabel: { ...axisText, customValues },
    axisTick: { customValues },
    axisLine: { show: false },
    ...range,
    splitLine: { customValues, lineStyle: { color: palette.rule } },
  };
}

/** Losses that a logarithmic axis can show: positive and finite. */
export function drawable(points: readonly Point[]): Point[] {
  return points.filter(([, loss]) => loss > 0 && Number.isFinite(loss));
}

/** From a little below the lowest loss to a little above the highest. */
function logRange(losses: readonly number[]): Range {
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
