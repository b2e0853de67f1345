/** @file The layer SigmoidRange. */
import { add, ArgumentError, mul, sigmoid, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { formatOptions } from "./layer-options.ts";

/**
 * `low + (high - low) / (1 + e^-x)`, elementwise, any shape: numbers between two bounds, for regression. Source: fastai's layer of
 * this name.
 */
export class SigmoidRange extends Module {
  readonly low: number;
  readonly high: number;

  /** @throws ArgumentError unless low < high, both finite. */
  constructor(low: number, high: number) {
    super();
    if (!(low < high && Number.isFinite(high - low))) {
      throw new ArgumentError(
        "SigmoidRange",
        `the bounds are no range: ${low} to ${high}`,
        "Pass finite numbers, the lower one first",
      );
    }
    this.low = low;
    this.high = high;
  }

  override forward(x: Tensor): Tensor {
    return add(mul(sigmoid(x), this.high - this.low), this.low);
  }

  override describe(): string {
    return formatOptions({ low: this.low, high: this.high });
  }
}
