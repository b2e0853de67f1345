/** @file The layer GELU. */
import { gelu, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";

/** `x * P(N <= x)` for a standard normal N, elementwise, any shape, exact form. Source: Hendrycks and Gimpel, arXiv 1606.08415. */
export class GELU extends Module {
  override forward(x: Tensor): Tensor {
    return gelu(x);
  }
}
