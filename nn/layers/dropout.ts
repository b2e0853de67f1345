/** @file The layer Dropout. */
import { ArgumentError, dropout, type Generator, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { formatOptions } from "./layer-options.ts";

export interface DropoutLayerOptions {
  /** The probability of an element to become 0. Default: 0.5. */
  readonly p?: number;
  /** Where the masks come from. Default: `defaultGenerator()`. */
  readonly generator?: Generator;
}

/**
 * In training, sets each element to 0 with probability p and divides the others by `1 - p`, so that the expectation stays; in
 * evaluation it does nothing. Any shape. Source: Srivastava et al., Dropout (JMLR 2014).
 */
export class Dropout extends Module {
  readonly p: number;
  readonly #generator: Generator | undefined;

  /** @throws ArgumentError unless 0 <= p <= 1. */
  constructor({ p = 0.5, generator }: DropoutLayerOptions = {}) {
    super();
    if (!(p >= 0 && p <= 1)) {
      throw new ArgumentError(
        "Dropout",
        `p is not a probability: ${p}`,
        "Use a number from 0 to 1",
      );
    }
    this.p = p;
    this.#generator = generator;
  }

  override forward(x: Tensor): Tensor {
    const source = this.#generator === undefined ? {} : { generator: this.#generator };
    return dropout(x, this.p, { training: this.training, ...source });
  }

  override describe(): string {
    return formatOptions({ p: this.p });
  }
}
