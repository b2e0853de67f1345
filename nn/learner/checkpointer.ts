/** @file Checkpointer: hands over a checkpoint every few epochs or batches. */
import { ArgumentError } from "../../engine/index.ts";
import type { Callback } from "./callback.ts";
import { requireModule, type Checkpoint } from "./checkpoint.ts";
import type { Learner } from "./learner.ts";

export interface CheckpointerOptions {
  /** Keeps the checkpoint; the fit waits for it. `writeCheckpoint` of wgrad/vision/node writes a file. */
  readonly write: (checkpoint: Checkpoint) => void | Promise<void>;
  /** After how many epochs, a whole number >= 1; the last epoch counts always. Default: 1. */
  readonly everyEpochs?: number;
  /** After how many training batches of the fit besides, a whole number >= 1. Default: none within epochs. */
  readonly everyBatches?: number;
}

/**
 * Writes checkpoints while a fit runs, so that a run that was killed can go on: `learner.resume(checkpoint)`, then the same fit. While
 * gradients of several batches add up, a checkpoint waits for the step of the optimizer.
 *
 * ```ts
 * const write = (checkpoint: Checkpoint) => writeCheckpoint("run.safetensors", checkpoint);
 * await learner.fitOneCycle(5, 1e-3, { callbacks: [new Checkpointer({ write, everyBatches: 100 })] });
 * ```
 */
export class Checkpointer implements Callback {
  /** After all others, whose state it holds. */
  readonly order = 90;
  readonly duringLrFind = false;
  readonly #options: CheckpointerOptions;
  #isDue = false;

  /** @throws ArgumentError unless the counts are whole numbers >= 1. */
  constructor(options: CheckpointerOptions) {
    const { everyEpochs = 1, everyBatches = 1 } = options;
    for (const count of [everyEpochs, everyBatches]) {
      if (Number.isSafeInteger(count) && count >= 1) continue;
      throw new ArgumentError(
        "Checkpointer",
        `this is no whole number >= 1: ${count}`,
        "Use for example { everyEpochs: 1, everyBatches: 100 }",
      );
    }
    this.#options = options;
  }

  /** @throws ArgumentError when the model is no `Module`. */
  beforeFit(learner: Learner): void {
    requireModule("Checkpointer", learner);
    this.#isDue = false;
  }

  betweenBatches(learner: Learner, settle: () => Promise<void>): Promise<void> | undefined {
    const { everyBatches } = this.#options;
    if (everyBatches !== undefined && learner.step % everyBatches === 0) this.#isDue = true;
    if (!this.#isDue || isAccumulating(learner)) return undefined;
    return settle().then(() => this.#write(learner));
  }

  async afterEpoch(learner: Learner): Promise<void> {
    const { everyEpochs = 1 } = this.#options;
    const epoch = learner.epoch + 1;
    if (epoch % everyEpochs !== 0 && epoch !== learner.epochs) return;
    this.#isDue = true;
    if (!isAccumulating(learner)) await this.#write(learner);
  }

  async #write(learner: Learner): Promise<void> {
    await this.#options.write(await learner.checkpoint());
    this.#isDue = false;
  }
}

/** Gradients that no step has used are in no checkpoint. */
function isAccumulating({ optimizer }: Learner): boolean {
  return optimizer.parameters.some(({ grad }) => grad !== undefined);
}
