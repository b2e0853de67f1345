/** @file GradientClip: clips the norm of all gradients before every step. */
import { clipGradNorm } from "../optim/clip.ts";
import type { Callback } from "./callback.ts";
import type { Learner } from "./learner.ts";

/** Clips the Euclidean norm of all gradients together to `maxNorm` (default 1) before each step of the optimizer. */
export class GradientClip implements Callback {
  readonly order = 11;
  readonly replayable = true;
  readonly #maxNorm: number;

  constructor(maxNorm = 1) {
    this.#maxNorm = maxNorm;
  }

  beforeStep({ optimizer }: Learner): void {
    clipGradNorm(optimizer.parameters, this.#maxNorm);
  }
}
