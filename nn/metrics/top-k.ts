/** @file Accuracy and its relatives: is the right class among the best? Definition: `shaders/metrics/top-k.wgsl`. */
import source from "../../shaders/metrics/top-k.wgsl";
import { ArgumentError, defineKernel, linearGrid, type Tensor } from "../../engine/index.ts";
import { Accumulator, type Metric } from "./metric.ts";
import { checkLabels, defaultIgnoreIndex, scoreRows, type LabelOptions } from "./rows.ts";

const kernel = defineKernel({
  name: "metrics/top-k",
  source,
  grid: ({ rows }) => linearGrid(rows as number, 64),
});

class TopK implements Metric {
  readonly name: string;
  readonly #k: number;
  readonly #ignore: number;
  readonly #counts = new Accumulator(3, "u32");
  #classes = 0;

  constructor(name: string, k: number, { ignoreIndex = defaultIgnoreIndex }: LabelOptions) {
    this.name = name;
    this.#k = k;
    this.#ignore = ignoreIndex;
  }

  reset(): void {
    this.#counts.reset();
  }

  update(predictions: Tensor, targets: Tensor): void {
    const { rows, classes } = scoreRows(this.name, predictions, targets);
    this.#classes = classes;
    kernel(
      { scores: predictions, labels: targets, counts: this.#counts.on(predictions) },
      { rows, classes, k: this.#k, ignore: this.#ignore },
      { types: { T: targets.dtype } },
    );
  }

  async value(): Promise<number> {
    const [hits = 0, rows = 0, outOfRange = 0] = await this.#counts.read();
    checkLabels(this.name, outOfRange, String(this.#classes - 1));
    return hits / rows;
  }
}

/** The part of the rows whose highest score is that of the right class; `[..., classes]` against `[...]`. */
export function accuracy(options: LabelOptions = {}): Metric {
  return new TopK("accuracy", 1, options);
}

/** `1 - accuracy`. */
export function errorRate(options: LabelOptions = {}): Metric {
  const metric = new TopK("error_rate", 1, options);
  return {
    name: metric.name,
    reset: () => {
      metric.reset();
    },
    update: (predictions, targets) => {
      metric.update(predictions, targets);
    },
    value: async () => 1 - (await metric.value()),
  };
}

/**
 * The part of the rows in which the right class is among the `k` highest scores. Default k: 5.
 * @throws ArgumentError when k is not a whole number >= 1.
 */
export function topKAccuracy(k = 5, options: LabelOptions = {}): Metric {
  if (!Number.isSafeInteger(k) || k < 1) {
    throw new ArgumentError("topKAccuracy", `k is not a whole number >= 1: ${k}`, "5 is usual");
  }
  return new TopK(`top_${k}_accuracy`, k, options);
}
