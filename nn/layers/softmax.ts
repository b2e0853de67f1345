/** @file The layer Softmax. */
import { softmax, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { formatOptions } from "./layer-options.ts";

export interface SoftmaxOptions {
  /** Default: -1, the last. */
  readonly axis?: number;
}

/**
 * `e^x` along an axis, scaled to sum 1, any shape. Not before `CrossEntropyLoss`, which contains it.
 */
export class Softmax extends Module {
  readonly axis: number;

  constructor({ axis = -1 }: SoftmaxOptions = {}) {
    super();
    this.axis = axis;
  }

  override forward(x: Tensor): Tensor {
    return softmax(x, this.axis);
  }

  override describe(): string {
    return formatOptions({ axis: this.axis });
  }
}
