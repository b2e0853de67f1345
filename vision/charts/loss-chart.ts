/** @file The losses of a fit as a picture: of every training step, raw and smoothed, and of the validation after every epoch. */
import { palette, rasterizeSvg } from "../../data/node.ts";
import type { Learner } from "../../nn/index.ts";
import { axisName, axisText, chartSvg, drawable, frame, lossAxis, type Point } from "./chart.ts";

/** What is drawn. */
export interface LossHistory {
  /** Loss of each training step, in order, over all epochs; all epochs have equally many, but an interrupted one. */
  readonly stepLosses: readonly number[];
  readonly stepsPerEpoch: number;
  /** Name of the metric; empty: none. */
  readonly metric: string;
  /** The validations, in order. `note` is written beside the point: the value of the metric. */
  readonly epochs: readonly { readonly validLoss: number; readonly note: string }[];
}

/**
 * The losses of the last fit as PNG, over epochs, with a logarithmic axis: each training step, smoothed, and the validation with the first
 * metric. Losses that are not positive and finite are left out.
 *
 * @param title above the chart. Default: "Loss".
 * @throws ArgumentError when echarts, or what makes a PNG of its SVG, is not installed.
 */
export async function plotLosses(
  learner: Pick<Learner, "recorder" | "train">,
  title = "Loss",
): Promise<Uint8Array<ArrayBuffer>> {
  return rasterizeSvg(await lossSvg(historyOf(learner), title));
}

function historyOf({ recorder, train }: Pick<Learner, "recorder" | "train">): LossHistory {
  const [name = ""] = recorder.metricNames;
  return {
    metric: name,
    stepLosses: recorder.losses,
    stepsPerEpoch: train.length,
    epochs: recorder.rows.map(({ validLoss = NaN, metrics: [metric] }) => ({
      validLoss,
      note: metric === undefined ? "" : noteOf(name, metric),
    })),
  };
}

/** `97.15 %`; metrics that are no parts of the whole as they are. */
function noteOf(name: string, value: number): string {
  const isPart = name === "accuracy" || name === "error_rate";
  return isPart ? `${(100 * value).toFixed(2)} %` : value.toFixed(4);
}

/** The chart as SVG. */
export function lossSvg(history: LossHistory, title: string): Promise<string> {
  return chartSvg("plotLosses", option(history, title));
}

function option(history: LossHistory, title: string): object {
  const { stepLosses, stepsPerEpoch, metric, epochs } = history;
  const names = {
    raw: "training, each step",
    smooth: "training, smoothed",
    valid: metric === "" ? "validation" : `validation, with ${metric}`,
  };
  const epochCount = Math.max(1, epochs.length, Math.ceil(stepLosses.length / stepsPerEpoch) || 0);
  const overEpochs = (losses: readonly number[]) =>
    drawable(losses.map((loss, i): Point => [(i + 1) / stepsPerEpoch, loss]));
  const raw = overEpochs(stepLosses);
  const smooth = overEpochs(smoothLosses(stepLosses, Math.ceil(stepLosses.length / 60)));
  const valid = drawable(epochs.map(({ validLoss }, i): Point => [i + 1, validLoss]));
  const line = (name: string, data: readonly Point[], color: string, lineStyle: object) => ({
    ...{ name, type: "line", data, symbol: "none", lineStyle, itemStyle: { color } },
  });
  return {
    ...frame(title),
    legend: legend(names),
    xAxis: {
      ...{ type: "value", min: 0, max: epochCount, minInterval: 1, axisLabel: axisText },
      ...axisName("epoch", 34),
      axisLine: { lineStyle: { color: palette.quiet } },
      splitLine: { lineStyle: { color: palette.rule } },
    },
    yAxis: lossAxis([raw, smooth, valid].flat()),
    series: [
      line(names.raw, raw, palette.blue, { width: 1, opacity: 0.3 }),
      line(names.smooth, smooth, palette.blue, { width: 2.5 }),
      {
        ...line(names.valid, valid, palette.vermilion, { width: 2.5, type: "dashed" }),
        ...{ symbol: "circle", symbolSize: 10, label: pointLabel(epochs) },
        labelLayout: { hideOverlap: true },
      },
    ],
  };
}

function legend(names: Readonly<Record<"raw" | "smooth" | "valid", string>>) {
  const lineOnly = (name: string) => ({ name, itemStyle: { opacity: 0 } });
  return {
    ...{ left: 29, top: 62, padding: 0, itemGap: 28, itemWidth: 30 },
    data: [lineOnly(names.raw), lineOnly(names.smooth), { name: names.valid }],
    textStyle: { color: palette.ink, fontSize: 14 },
  };
}

/** As many notes as there is room for. */
const mostNotes = 10;

/** The note of the epoch that ends at the point's x: of the last one, and of every second, third, ... before it where there are many. */
function pointLabel(epochs: LossHistory["epochs"]) {
  const every = Math.ceil(epochs.length / mostNotes);
  return {
    ...{ show: true, position: "top", distance: 8, fontSize: 13, fontWeight: "bold" },
    ...{ color: palette.vermilion, textBorderColor: palette.paper, textBorderWidth: 3 },
    formatter: ({ value }: { value: unknown }) => {
      const [x] = Array.isArray(value) ? (value as readonly unknown[]) : [];
      const epoch = Number(x);
      return (epochs.length - epoch) % every === 0 ? (epochs[epoch - 1]?.note ?? "") : "";
    },
  };
}

/**
 * The mean of each loss and its neighbours, up to `radius` steps away on either side. Unlike a running mean it does not lag behind
 * a falling loss. At the start, where the loss falls steeply, the window shrinks on both sides; at the end, where it is noise,
 * it only lacks what is not there. Losses that are not finite do not count; NaN where no other is near.
 */
export function smoothLosses(losses: readonly number[], radius: number): number[] {
  return losses.map((_, i) => {
    const reach = Math.min(radius, i);
    const near = losses.slice(i - reach, i + reach + 1).filter(Number.isFinite);
    return near.reduce((sum, loss) => sum + loss, 0) / near.length;
  });
}
