/** @file The layer LeakyReLU. */
import { leakyRelu, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { formatOptions } from "./layer-options.ts";

export interface LeakyReLUOptions {
  /** Slope below 0. Default: 0.01. */
  readonly negativeSlope?: number;
}

/** `x` above 0, `negativeSlope * x` below, elementwise, any shape. Source: Maas, Hannun and Ng, Rectifier nonlinearities (2013). */
export class LeakyReLU extends Module {
  readonly negativeSlope: number;

  constructor({ negativeSlope = 0.01 }: LeakyReLUOptions = {}) {
    super();
    this.negativeSlope = negativeSlope;
  }

  override forward(x: Tensor): Tensor {
    return leakyRelu(x, this.negativeSlope);
  }

  override describe(): string {
    return formatOptions({ negativeSlope: this.negativeSlope });
  }
}
