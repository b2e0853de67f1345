/** @file The layer ReLU. */
import { relu, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";

/** `max(x, 0)`, elementwise, any shape. Source: Nair and Hinton, Rectified linear units (ICML 2010). */
export class ReLU extends Module {
  override forward(x: Tensor): Tensor {
    return relu(x);
  }
}
