/** @file Progress: what a person sees while a fit runs. Where it is shown is up to the program; here is how it comes about. */
import type { TuneProgress } from "../../engine/index.ts";
import type { Callback } from "./callback.ts";
import type { Learner } from "./learner.ts";
import type { Loader } from "./loader.ts";
import { tableColumns, tableHead, tableRow } from "./table.ts";

/** How far a fit is. */
export interface ProgressState {
  /** Batches of the whole fit, training and validation: done, and all of them. */
  readonly done: number;
  readonly total: number;
  /** From 0. */
  readonly epoch: number;
  readonly epochs: number;
  readonly training: boolean;
  /** The smoothed training loss; undefined until the first one has arrived. */
  readonly loss: number | undefined;
  /** Estimate of the time left; undefined until there is something to judge by. */
  readonly secondsLeft: number | undefined;
  /** What is being measured, while the fit waits for kernels to be tuned; see `LearnerOptions.tune`. */
  readonly tuning: TuneProgress | undefined;
}

/** Shows the progress of a fit. Calls come in the order start, (update | write)*, stop; `write` may also come between fits. */
export interface Progress {
  start(): void;
  /** Called after every batch, and for every problem that is measured; it is up to the display to skip some. */
  update(state: ProgressState): void;
  /** A line that stays: a row of the table, a message. */
  write(line: string): void;
  stop(): void;
}

/** Prints the lines that stay, and nothing else. Default: by `console.log`. */
export function linesOnly(
  write: (line: string) => void = (line) => {
    console.log(line);
  },
): Progress {
  const nothing = (): void => undefined;
  return { start: nothing, update: nothing, write, stop: nothing };
}

/** A training batch costs about three times the work of a validation batch of the same size. */
const trainingCost = 3;

/** Reports to a `Progress` and prints the table through it. */
export class ProgressCallback implements Callback {
  readonly order = 60;
  readonly #progress: Progress;
  readonly #title: string | undefined;
  readonly #hasTable: boolean;
  #columns: readonly string[] = [];
  #done = 0;
  #clock = new Clock(0);

  /**
   * @param title a line over the table. Default: none.
   * @param hasTable false leaves the table out. Default: true.
   */
  constructor(progress: Progress, title?: string, hasTable = true) {
    this.#progress = progress;
    this.#title = title;
    this.#hasTable = hasTable;
  }

  beforeFit({ metrics, train, valid, epochs, epoch, iteration }: Learner): void {
    // A fit that is resumed begins in the middle.
    this.#done = epoch * (train.length + (valid?.length ?? 0)) + iteration;
    const perEpoch = trainingCost * samples(train) + samples(valid);
    this.#clock = new Clock(
      (epochs - epoch) * perEpoch - iteration * trainingCost * train.batchSize,
    );
    const names = metrics.map(({ name }) => name);
    this.#columns = tableColumns(names, valid !== undefined);
    this.#progress.start();
    if (this.#title !== undefined) this.#progress.write(this.#title);
    if (this.#hasTable) this.#progress.write(tableHead(this.#columns));
  }

  afterBatch(learner: Learner): void {
    this.#done++;
    this.#clock.advance((learner.batch?.size ?? 0) * (learner.training ? trainingCost : 1));
    this.#update(learner, undefined);
  }

  /** A problem is going to be measured, between two batches. */
  tuning(learner: Learner, tuning: TuneProgress): void {
    if (tuning.done === 0) {
      this.#progress.write(`Tuning: problems to measure: ${tuning.total}.`);
    }
    this.#update(learner, tuning);
  }

  /** A line that stays. */
  write(line: string): void {
    this.#progress.write(line);
  }

  #update(learner: Learner, tuning: TuneProgress | undefined): void {
    const { train, valid, epochs, epoch, training, recorder } = learner;
    this.#progress.update({
      done: this.#done,
      total: epochs * (train.length + (valid?.length ?? 0)),
      epoch,
      epochs,
      training,
      loss: recorder.losses.length === 0 ? undefined : recorder.smoothLoss,
      secondsLeft: this.#clock.secondsLeft,
      tuning,
    });
  }

  lossRead(): void {
    this.#clock.start();
  }

  afterEpoch({ recorder }: Learner): void {
    const row = recorder.rows.at(-1);
    if (row !== undefined && this.#hasTable) this.#progress.write(tableRow(this.#columns, row));
  }

  cleanUp({ stopReason }: Learner): void {
    if (stopReason !== undefined) this.#progress.write(stopReason);
    this.#progress.stop();
  }
}

/** Seconds of work before the time left is judged by them. */
const shortestEstimate = 0.5;

/** Judges the time left by the time that the work so far took, from the first finished batch on. */
class Clock {
  readonly #total: number;
  #done = 0;
  #since: { readonly time: number; readonly done: number } | undefined;

  constructor(total: number) {
    this.#total = total;
  }

  /** Only the first call counts: what came before is compiling. */
  start(): void {
    this.#since ??= { time: performance.now(), done: this.#done };
  }

  advance(work: number): void {
    this.#done += work;
  }

  get secondsLeft(): number | undefined {
    if (this.#since === undefined || this.#done <= this.#since.done) return undefined;
    const seconds = (performance.now() - this.#since.time) / 1000;
    if (seconds < shortestEstimate && this.#done < this.#total) return undefined;
    const perUnit = seconds / (this.#done - this.#since.done);
    return Math.max(0, this.#total - this.#done) * perUnit;
  }
}

function samples(loader: Loader | undefined): number {
  return loader === undefined ? 0 : (loader.datasetSize ?? loader.length * loader.batchSize);
}
