/** @file The layer GlobalAveragePool. */
import { globalAveragePool, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";

/**
 * The mean of each channel over all pixels: x [batch, height, width, channels], result [batch, channels]. It is what
 * `AdaptiveAvgPool2d` of size 1 and `Flatten` do together. Source: Lin, Chen and Yan, Network in network, arXiv 1312.4400.
 */
export class GlobalAveragePool extends Module {
  override forward(x: Tensor): Tensor {
    return globalAveragePool(x);
  }
}
