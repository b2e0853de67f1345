/** @file The mean of a number over batches, weighted by their sizes: for losses, and for metrics of one's own. */
import source from "../../shaders/metrics/average.wgsl";
import {
  defineKernel,
  DTypeError,
  formatShape,
  noGrad,
  openScope,
  ShapeError,
  type Tensor,
} from "../../engine/index.ts";
import { Accumulator, type Metric } from "./metric.ts";

const kernel = defineKernel({ name: "metrics/average", source, grid: () => [1, 1, 1] });

/** A mean over batches, accumulated on the device. */
export class WeightedMean {
  readonly #totals = new Accumulator(2, "f32");

  reset(): void {
    this.#totals.reset();
  }

  /** Adds a value of one element, f32, with a weight. Throws `ShapeError` or `DTypeError` for anything else. */
  update(op: string, value: Tensor, weight: number): void {
    if (value.size !== 1) {
      throw new ShapeError(
        op,
        `a batch gives one number, not ${formatShape(value.shape)}`,
        "Reduce it with mean()",
      );
    }
    if (value.dtype !== "f32") {
      throw new DTypeError(
        op,
        `a batch gives an f32 number, not ${value.dtype}`,
        'Use cast(x, "f32")',
      );
    }
    kernel({ value, totals: this.#totals.on(value) }, { weight });
  }

  /** NaN when there was no batch. */
  async value(): Promise<number> {
    const [total = 0, weight = 0] = await this.#totals.read();
    return total / weight;
  }
}

/**
 * A metric from a function of one batch, for example `averageMetric("mae", (p, y) => mean(abs(sub(p, y))))`. Batches are
 * weighted by the first axis of their targets, as fastai's AvgMetric does, so a short last batch counts for what it is.
 */
export function averageMetric(
  name: string,
  compute: (predictions: Tensor, targets: Tensor) => Tensor,
): Metric {
  const mean = new WeightedMean();
  return {
    name,
    reset: () => {
      mean.reset();
    },
    update: (predictions, targets) => {
      using _scope = openScope();
      mean.update(
        name,
        noGrad(() => compute(predictions, targets)),
        targets.shape[0] ?? 1,
      );
    },
    value: () => mean.value(),
  };
}
