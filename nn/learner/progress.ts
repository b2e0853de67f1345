/** @file Progress: what a person sees while a fit runs. Where it is shown is up to the program; here is how it comes about. */
import type { CompileProgress, TuneProgress } from "../../engine/index.ts";
import type { Callback } from "./callback.ts";
import type { Learner } from "./learner.ts";
import type { Loader } from "./loader.ts";
import { ProgressClock } from "./progress-clock.ts";
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
  /** Time of a training batch, the mean of this epoch; undefined until two have been finished. */
  readonly secondsPerBatch: number | undefined;
  /** Estimate of the time left; undefined until there is something to judge by. */
  readonly secondsLeft: number | undefined;
  /** Kernels that the device compiles, which the first batches wait for; undefined while there are none to wait for. */
  readonly compiling: CompileProgress | undefined;
  /** What is being measured, while the fit waits for kernels to be tuned; see `LearnerOptions.tune`. */
  readonly tuning: TuneProgress | undefined;
}

/** Shows the progress of a fit. Calls come in the order start, (update | write)*, stop; `write` may also come between fits. */
export interface Progress {
  start(): void;
  /** Called after every batch, and for every kernel that was compiled or measured; it is up to the display to skip some. */
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

/** Reports to a `Progress` and prints the table through it. */
export class ProgressCallback implements Callback {
  readonly order = 60;
  readonly #progress: Progress;
  readonly #title: string | undefined;
  readonly #hasTable: boolean;
  #columns: readonly string[] = [];
  #done = 0;
  #clock = new ProgressClock(0, 0);
  #compiling: CompileProgress | undefined;
  #stopListening: () => void = () => undefined;

  /**
   * @param title a line over the table. Default: none.
   * @param hasTable false leaves the table out. Default: true.
   */
  constructor(progress: Progress, title?: string, hasTable = true) {
    this.#progress = progress;
    this.#title = title;
    this.#hasTable = hasTable;
  }

  beforeFit(learner: Learner): void {
    const { metrics, model, train, valid, epochs, epoch, iteration } = learner;
    // A fit that is resumed begins in the middle.
    this.#done = epoch * (train.length + (valid?.length ?? 0)) + iteration;
    const left = epochs - epoch;
    this.#clock = new ProgressClock(
      left * samples(train) - iteration * train.batchSize,
      left * samples(valid),
    );
    const device = model.parameters()[0]?.device;
    this.#stopListening =
      device?.onCompile((progress) => {
        this.#compiling = progress.finished < progress.requested ? progress : undefined;
        this.#update(learner, undefined);
      }) ?? this.#stopListening;
    const names = metrics.map(({ name }) => name);
    this.#columns = tableColumns(names, valid !== undefined);
    this.#progress.start();
    if (this.#title !== undefined) this.#progress.write(this.#title);
    if (this.#hasTable) this.#progress.write(tableHead(this.#columns));
  }

  beforeTrain(): void {
    this.#clock.beginEpoch();
  }

  afterBatch(learner: Learner): void {
    const { batch, training, loss } = learner;
    this.#done++;
    this.#clock.advance(batch?.size ?? 0, training, training && loss !== undefined);
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
      secondsPerBatch: this.#clock.secondsPerBatch,
      secondsLeft: this.#clock.secondsLeft,
      compiling: this.#compiling,
      tuning,
    });
  }

  lossRead(): void {
    this.#clock.batchFinished();
  }

  afterEpoch({ recorder }: Learner): void {
    const row = recorder.rows.at(-1);
    if (row !== undefined && this.#hasTable) this.#progress.write(tableRow(this.#columns, row));
  }

  cleanUp({ stopReason }: Learner): void {
    this.#stopListening();
    if (stopReason !== undefined) this.#progress.write(stopReason);
    this.#progress.stop();
  }
}

function samples(loader: Loader | undefined): number {
  if (loader === undefined) return 0;
  const { datasetSize = Infinity, length, batchSize } = loader;
  // The last batch may be left out, or smaller than the others.
  return Math.min(datasetSize, length * batchSize);
}
