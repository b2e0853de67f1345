/** @file The layer MaxPool2d. */
import { maxPool2d, type MaxPoolOptions, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { formatOptions } from "./layer-options.ts";

/**
 * The maximum of each window of x [batch, height, width, channels]; padding never wins.
 *
 *     outHeight = floor((height + 2 padding - dilation (kernelSize - 1) - 1) / stride) + 1
 *
 * Defaults: stride = kernelSize, padding 0, dilation 1, no ceilMode.
 */
export class MaxPool2d extends Module {
  readonly options: MaxPoolOptions;

  constructor(options: MaxPoolOptions) {
    super();
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    return maxPool2d(x, this.options);
  }

  override describe(): string {
    return formatOptions({ ...this.options });
  }
}
