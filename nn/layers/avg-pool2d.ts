/** @file The layer AvgPool2d. */
import { avgPool2d, type AvgPoolOptions, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { formatOptions } from "./layer-options.ts";

/**
 * The mean of each window of x [batch, height, width, channels]; padding counts as 0.
 *
 *     outHeight = floor((height + 2 padding - kernelSize) / stride) + 1
 *
 * Defaults: stride = kernelSize, padding 0, countIncludePad, no ceilMode.
 */
export class AvgPool2d extends Module {
  readonly options: AvgPoolOptions;

  constructor(options: AvgPoolOptions) {
    super();
    this.options = options;
  }

  override forward(x: Tensor): Tensor {
    return avgPool2d(x, this.options);
  }

  override describe(): string {
    return formatOptions({ ...this.options });
  }
}
