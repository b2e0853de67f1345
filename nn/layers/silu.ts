/** @file The layer SiLU. */
import { silu, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";

/** `x * sigmoid(x)`, elementwise, any shape. Source: Elfwing, Uchibe and Doya, arXiv 1702.03118. */
export class SiLU extends Module {
  override forward(x: Tensor): Tensor {
    return silu(x);
  }
}
