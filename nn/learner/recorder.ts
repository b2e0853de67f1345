/** @file Recorder: the history of a fit. Source: fastai, learner.py. */
import type { Callback, CallbackState, LossReading, SavedCallbackState } from "./callback.ts";
import { fromJson, toJson } from "./json-number.ts";
import type { TrainingEntry } from "../training-state.ts";
import type { Learner } from "./learner.ts";

/** One row of the table. */
export interface EpochRow {
  readonly epoch: number;
  /** The smoothed training loss at the end of the epoch. */
  readonly trainLoss: number;
  /** Absent without a validation set, or when validation was cancelled. */
  readonly validLoss: number | undefined;
  /** Values in the order of `metricNames`; empty where `validLoss` is absent. */
  readonly metrics: readonly number[];
  /** Time of training and validation together. */
  readonly seconds: number;
}

/**
 * An exponential mean that is right from the first value on:
 *
 *     mean_n = beta * mean_(n-1) + (1 - beta) * value_n,   value = mean_n / (1 - beta^n)
 */
class SmoothMean {
  readonly #beta: number;
  #mean = 0;
  #count = 0;

  constructor(beta = 0.98) {
    this.#beta = beta;
  }

  add(value: number): void {
    this.#mean = this.#beta * this.#mean + (1 - this.#beta) * value;
    this.#count++;
  }

  /** NaN before the first value. */
  get value(): number {
    return this.#mean / (1 - this.#beta ** this.#count);
  }
}

/** Keeps losses, hypers and rows of the last fit. Losses arrive up to two steps after the other numbers of their step. */
export class Recorder implements Callback {
  readonly order = 50;
  readonly runValid = false;
  readonly stateName = "Recorder";
  /** Names of the metrics, as in the table. */
  metricNames: readonly string[] = [];
  /** The loss of each training batch. */
  losses: number[] = [];
  /** The smoothed loss (beta 0.98, debiased) after each training batch; it runs on from epoch to epoch. */
  smoothLosses: number[] = [];
  /** Learning rate and momentum of the last parameter group at each training batch. */
  learningRates: number[] = [];
  momentums: number[] = [];
  /** One row for each finished epoch. */
  rows: EpochRow[] = [];
  #smooth = new SmoothMean();
  #epochStart = 0;
  /** Of the epoch, before the fit was resumed. */
  #secondsBefore = 0;

  /** The smoothed loss of the last batch whose loss has arrived, NaN before the first. */
  get smoothLoss(): number {
    return this.#smooth.value;
  }

  beforeFit(learner: Learner): void {
    this.metricNames = learner.metrics.map(({ name }) => name);
    this.losses = [];
    this.smoothLosses = [];
    this.learningRates = [];
    this.momentums = [];
    this.rows = [];
    this.#smooth = new SmoothMean();
    this.#epochStart = performance.now();
    this.#secondsBefore = 0;
  }

  beforeEpoch(): void {
    this.#epochStart = performance.now();
  }

  /** Between epochs none of these seconds belong to the next row. */
  saveState(): SavedCallbackState {
    const rows = this.rows.map(({ epoch, trainLoss, validLoss, metrics, seconds }) => ({
      epoch,
      trainLoss: toJson(trainLoss),
      validLoss: validLoss === undefined ? null : toJson(validLoss),
      metrics: metrics.map(toJson),
      seconds,
    }));
    const { losses, learningRates, momentums } = this;
    return {
      json: { rows, seconds: this.#secondsOfEpoch },
      tensors: new Map([
        ["losses", column(losses)],
        ["learningRates", column(learningRates)],
        ["momentums", column(momentums)],
      ]),
    };
  }

  loadState({ json, tensors }: CallbackState): void {
    const { rows, seconds } = json as { rows: Record<string, unknown>[]; seconds: number };
    this.rows = rows.map((row) => ({
      epoch: fromJson(row["epoch"]),
      trainLoss: fromJson(row["trainLoss"]),
      validLoss: row["validLoss"] === null ? undefined : fromJson(row["validLoss"]),
      metrics: (row["metrics"] as unknown[]).map(fromJson),
      seconds: fromJson(row["seconds"]),
    }));
    const read = (name: string) => Array.from(tensors?.get(name)?.data ?? [], Number);
    for (const loss of read("losses")) this.#addLoss(loss);
    this.learningRates = read("learningRates");
    this.momentums = read("momentums");
    this.#secondsBefore = seconds;
  }

  get #secondsOfEpoch(): number {
    return this.#secondsBefore + (performance.now() - this.#epochStart) / 1000;
  }

  #addLoss(loss: number): void {
    this.#smooth.add(loss);
    this.losses.push(loss);
    this.smoothLosses.push(this.smoothLoss);
  }

  afterBatch(learner: Learner): void {
    const group = learner.optimizer.groups.at(-1);
    this.learningRates.push(group?.lr ?? NaN);
    this.momentums.push(group?.momentum ?? NaN);
  }

  lossRead(_learner: Learner, { loss }: LossReading): void {
    this.#addLoss(loss);
  }

  afterEpoch({ epoch, validation }: Learner): void {
    this.rows.push({
      epoch,
      trainLoss: this.smoothLoss,
      validLoss: validation?.loss,
      metrics: validation?.metrics ?? [],
      seconds: this.#secondsOfEpoch,
    });
    this.#epochStart = performance.now();
    this.#secondsBefore = 0;
  }
}

function column(values: readonly number[]): TrainingEntry {
  return { dtype: "F64", shape: [values.length], data: Float64Array.from(values) };
}
