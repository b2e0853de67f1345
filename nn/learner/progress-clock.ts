/** @file ProgressClock: how long a training batch takes, and how much time is left. */

/** A training batch costs about three times the work of a validation batch of the same size. */
const trainingCost = 3;

/** Seconds of work before the time left is judged by them. */
const shortestEstimate = 0.5;

/** A moment, and what was done by then. */
interface Mark {
  readonly time: number;
  readonly done: number;
}

/** Judges the time left by the time that the work so far took, from the first finished batch on: what came before is compiling. */
export class ProgressClock {
  readonly #total: number;
  /** Of the batches that the device has finished. */
  #done = 0;
  /** Of training batches that were recorded, in their order. */
  readonly #running: number[] = [];
  #since: Mark | undefined;
  #firstBatch: Mark | undefined;
  #batches = 0;
  #secondsPerBatch: number | undefined;

  /** Images to train on and to validate with, in all that is left of the fit. */
  constructor(training: number, validation: number) {
    this.#total = trainingCost * training + validation;
  }

  /**
   * A batch has been recorded. `batchFinished` tells when it is finished, where it is training whose loss will be read; others, of
   * validation or cancelled, are as good as finished.
   */
  advance(images: number, training: boolean, isAwaited = training): void {
    const work = training ? trainingCost * images : images;
    if (isAwaited) this.#running.push(work);
    else this.#done += work;
  }

  /** The next training batches follow each other; what comes between, a validation, is not part of their time. */
  beginEpoch(): void {
    this.#firstBatch = undefined;
  }

  /** The device has finished a training batch. */
  batchFinished(): void {
    const time = performance.now();
    this.#done += this.#running.shift() ?? 0;
    this.#since ??= { time, done: this.#done };
    this.#batches++;
    this.#firstBatch ??= { time, done: this.#batches };
    const count = this.#batches - this.#firstBatch.done;
    if (count > 0) this.#secondsPerBatch = (time - this.#firstBatch.time) / 1000 / count;
  }

  /** Mean over the batches of this epoch, of the one before until there are two; undefined before. */
  get secondsPerBatch(): number | undefined {
    return this.#secondsPerBatch;
  }

  get secondsLeft(): number | undefined {
    if (this.#since === undefined || this.#done <= this.#since.done) return undefined;
    const seconds = (performance.now() - this.#since.time) / 1000;
    if (seconds < shortestEstimate && this.#done < this.#total) return undefined;
    const perUnit = seconds / (this.#done - this.#since.done);
    return Math.max(0, this.#total - this.#done) * perUnit;
  }
}
