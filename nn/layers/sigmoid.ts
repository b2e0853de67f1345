/** @file The layer Sigmoid. */
import { sigmoid, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";

/** `1 / (1 + e^-x)`, elementwise, any shape. */
export class Sigmoid extends Module {
  override forward(x: Tensor): Tensor {
    return sigmoid(x);
  }
}
