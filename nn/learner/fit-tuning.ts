/**
 * @file What the option `tune` adds to a fit: its first batches show which problems the kernels have to solve, and those that nobody has
 * measured on this adapter yet are measured before the next batch.
 */
import {
  DeviceError,
  DeviceLostError,
  ProblemCollector,
  type Device,
  type Tuned,
} from "../../engine/index.ts";
import type { Batch } from "./loader.ts";
import type { Learner } from "./learner.ts";
import type { ProgressCallback } from "./progress.ts";

/** Watches the first batch of training and the first of validation, of one fit. */
export class FitTuning {
  readonly #learner: Learner;
  readonly #progress: ProgressCallback;
  readonly #watched = { training: false, validation: false };
  #device: Device | undefined;
  #collector: ProblemCollector | undefined;

  constructor(learner: Learner, progress: ProgressCallback) {
    this.#learner = learner;
    this.#progress = progress;
  }

  /** Takes down the problems of a batch until the result is disposed; undefined when a batch of its part was watched before. */
  watch({ x }: Batch): Disposable | undefined {
    const part = this.#learner.training ? "training" : "validation";
    if (this.#watched[part]) return undefined;
    this.#device = x.device;
    this.#collector ??= this.#collect(x.device);
    const stop = this.#collector.start();
    return {
      [Symbol.dispose]: () => {
        stop();
        // A batch that was cancelled before its loss has shown little.
        this.#watched[part] = this.#learner.loss !== undefined;
      },
    };
  }

  /**
   * Between two batches: measures what was seen and is not known. Where measuring fails, the fit goes on with the usual kernels.
   * @throws DeviceLostError when the device was lost, and errors of the batches before.
   */
  async measure(): Promise<void> {
    if (this.#collector === undefined || !this.#collector.hasFound) return;
    // What goes wrong from here on, tuning did.
    await this.#device?.synchronize();
    const start = performance.now();
    try {
      const tuned = await this.#collector.measure();
      this.#progress.write(summaryOf(tuned, (performance.now() - start) / 1000));
    } catch (error) {
      if (!(error instanceof DeviceError) || error instanceof DeviceLostError) throw error;
      this.#progress.write(`Tuning ended early, the usual kernels run on: ${error.message}`);
    }
  }

  #collect(device: Device): ProblemCollector {
    return new ProblemCollector({
      device,
      onProgress: (progress) => {
        this.#progress.tuning(this.#learner, progress);
      },
    });
  }
}

function summaryOf(tuned: readonly Tuned[], seconds: number): string {
  const changed = tuned.filter(({ variant, usual }) => variant !== usual).length;
  return `Tuned in ${seconds.toFixed(1)} s: problems measured: ${tuned.length}, with another kernel from now on: ${changed}.`;
}
