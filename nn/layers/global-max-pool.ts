/** @file The layer GlobalMaxPool. */
import { globalMaxPool, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";

/** The maximum of each channel over all pixels: x [batch, height, width, channels], result [batch, channels]. */
export class GlobalMaxPool extends Module {
  override forward(x: Tensor): Tensor {
    return globalMaxPool(x);
  }
}
