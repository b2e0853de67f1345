/** @file Loss and metrics over a validation set, accumulated on the device and read at the end. */
import type { Tensor } from "../../engine/index.ts";
import { WeightedMean } from "../metrics/average.ts";
import type { Metric } from "../metrics/metric.ts";

/** What a validation found. */
export interface ValidationResult {
  /** The mean of the batches' losses, weighted by their sizes. */
  readonly loss: number;
  /** The metrics' values, in their order. */
  readonly metrics: readonly number[];
}

export class Validation {
  readonly #loss = new WeightedMean();
  readonly #metrics: readonly Metric[];

  constructor(metrics: readonly Metric[]) {
    this.#metrics = metrics;
    for (const metric of metrics) metric.reset();
  }

  update(predictions: Tensor, targets: Tensor, loss: Tensor, size: number): void {
    this.#loss.update("loss", loss, size);
    for (const metric of this.#metrics) metric.update(predictions, targets);
  }

  async result(): Promise<ValidationResult> {
    const values = this.#metrics.map((metric) => metric.value());
    const loss = await this.#loss.value();
    this.#loss.reset();
    return { loss, metrics: await Promise.all(values) };
  }
}
