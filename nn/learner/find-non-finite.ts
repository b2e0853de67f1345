/** @file FindNonFinite: names the op and the step in which the first NaN or infinity of a fit appeared. */
import { guardNonFinite, type NonFiniteGuard } from "../../engine/index.ts";
import type { Callback } from "./callback.ts";
import type { Learner } from "./learner.ts";

/**
 * Looks at every result and every gradient of a fit, on the device, and throws a `NonFiniteError` that names the first op that made
 * a NaN or an infinity: at the end of the epoch's training or validation, or as soon as a loss that is no number ends the fit.
 * Costs one small dispatch a tensor; for finding a fault, not for every run.
 *
 * ```ts
 * await new Learner({ ..., callbacks: [new FindNonFinite()] }).fit(1, 10);
 * ```
 */
export class FindNonFinite implements Callback {
  #guard: NonFiniteGuard | undefined;

  beforeFit(): void {
    this.#guard = guardNonFinite();
  }

  beforeBatch({ step }: Learner): void {
    this.#guard?.step(step);
  }

  afterTrain(): Promise<void> {
    return this.#check();
  }

  afterValidate(): Promise<void> {
    return this.#check();
  }

  afterCancelFit(): Promise<void> {
    return this.#check();
  }

  cleanUp(): void {
    this.#guard?.[Symbol.dispose]();
    this.#guard = undefined;
  }

  async #check(): Promise<void> {
    await this.#guard?.check();
  }
}
