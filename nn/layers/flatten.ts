/** @file The layer Flatten. */
import { flatten, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { formatOptions } from "./layer-options.ts";

export interface FlattenOptions {
  /** The first axis to merge. Default: 1, which keeps the batch. */
  readonly startAxis?: number;
  /** The last axis to merge. Default: -1, the last. */
  readonly endAxis?: number;
}

/**
 * Merges axes into one, by default all but the batch: [batch, height, width, channels] becomes [batch, height * width * channels].
 * PyTorch flattens channels first, so a Linear behind images of more than one pixel has its inputs in another order there.
 */
export class Flatten extends Module {
  readonly startAxis: number;
  readonly endAxis: number;

  constructor({ startAxis = 1, endAxis = -1 }: FlattenOptions = {}) {
    super();
    this.startAxis = startAxis;
    this.endAxis = endAxis;
  }

  override forward(x: Tensor): Tensor {
    return flatten(x, this.startAxis, this.endAxis);
  }

  override describe(): string {
    return formatOptions({ startAxis: this.startAxis, endAxis: this.endAxis });
  }
}
