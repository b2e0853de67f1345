/** @file The layer AdaptiveAvgPool2d. */
import { adaptiveAvgPool2d, type AdaptiveSize, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { formatOptions } from "./layer-options.ts";

export interface AdaptiveAvgPool2dOptions {
  /** Rows and columns of the result; only 1 is supported. Default: 1. */
  readonly outputSize?: AdaptiveSize;
}

/**
 * The mean of each channel over all pixels: x [batch, height, width, channels], result [batch, 1, 1, channels]. Put a `Flatten`
 * behind it, or use `GlobalAveragePool`.
 */
export class AdaptiveAvgPool2d extends Module {
  readonly outputSize: AdaptiveSize;

  constructor({ outputSize = 1 }: AdaptiveAvgPool2dOptions = {}) {
    super();
    this.outputSize = outputSize;
  }

  override forward(x: Tensor): Tensor {
    return adaptiveAvgPool2d(x, this.outputSize);
  }

  override describe(): string {
    return formatOptions({ outputSize: this.outputSize });
  }
}
