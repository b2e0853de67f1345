/** @file The layer ELU. */
import { elu, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { formatOptions } from "./layer-options.ts";

export interface ELUOptions {
  /** Minus the limit for x to -infinity. Default: 1. */
  readonly alpha?: number;
}

/** `x` above 0, `alpha * (e^x - 1)` below, elementwise, any shape. Source: Clevert, Unterthiner and Hochreiter, arXiv 1511.07289. */
export class ELU extends Module {
  readonly alpha: number;

  constructor({ alpha = 1 }: ELUOptions = {}) {
    super();
    this.alpha = alpha;
  }

  override forward(x: Tensor): Tensor {
    return elu(x, this.alpha);
  }

  override describe(): string {
    return formatOptions({ alpha: this.alpha });
  }
}
