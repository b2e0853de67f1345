/** @file MixUp: training on weighted means of two samples. */
import type { Tensor } from "../../engine/index.ts";
import { drawBeta } from "./beta-distribution.ts";
import { MixCallback, type Mix, type MixOptions } from "./mix-callback.ts";

/**
 * Trains on `w x + (1 - w) x'` for each sample x and a random other one x' of its batch, w = max(l, 1 - l) with l of Beta(alpha, alpha), alpha
 * 0.4 by default; targets are mixed alike. See `MixCallback` for what it needs of the loss.
 *
 * ```ts
 * await learner.fitOneCycle(80, 1e-2, { callbacks: [new MixUp()] });
 * ```
 * Source: arXiv 1710.09412; fastai, MixUp.
 */
export class MixUp extends MixCallback {
  readonly #alpha: number;

  /** @throws ArgumentError unless alpha is a finite number above 0, and for an impossible seed. */
  constructor({ alpha = 0.4, seed = 0 }: MixOptions = {}) {
    super("MixUp", alpha, seed);
    this.#alpha = alpha;
  }

  protected override draw({ shape: [count = 0] }: Tensor): Mix {
    const weights = Array.from({ length: count }, () => {
      const lambda = drawBeta(this.#alpha, this.uniform);
      return Math.max(lambda, 1 - lambda);
    });
    return { weights };
  }
}
