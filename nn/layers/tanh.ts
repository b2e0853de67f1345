/** @file The layer Tanh. */
import { tanh, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";

/** The hyperbolic tangent, elementwise, any shape. */
export class Tanh extends Module {
  override forward(x: Tensor): Tensor {
    return tanh(x);
  }
}
