/** @file What the callbacks share that watch a number from epoch to epoch. Source: fastai, callback/tracker.py (`TrackerCallback`). */
import { ArgumentError } from "../../engine/index.ts";
import type { Callback, CallbackState, SavedCallbackState } from "./callback.ts";
import { fromJson, toJson } from "./json-number.ts";
import type { Learner } from "./learner.ts";

export interface TrackerOptions {
  /** A column of the table: `train_loss`, `valid_loss` or a metric. Default: `valid_loss`. */
  readonly monitor?: string;
  /** What is better. Default: `less` where `monitor` contains "loss" or "error", otherwise `greater`. */
  readonly comp?: "less" | "greater";
  /** A value is better only by more than this. Default: 0. */
  readonly minDelta?: number;
  /** Begins anew with each fit, also with the second of `fineTune`. Default: true. */
  readonly resetOnFit?: boolean;
}

/**
 * Watches one number. An epoch without it, whose validation was cancelled, is passed over; one where it is NaN too, and a line says so.
 */
export abstract class Tracker implements Callback {
  readonly duringLrFind: boolean = false;
  readonly monitor: string;
  /** The best value so far; undefined before the first. */
  best: number | undefined;
  readonly #isLess: boolean;
  readonly #minDelta: number;
  readonly #resetOnFit: boolean;

  constructor({
    monitor = "valid_loss",
    comp,
    minDelta = 0,
    resetOnFit = true,
  }: TrackerOptions = {}) {
    this.monitor = monitor;
    this.#isLess = comp === undefined ? /loss|error/.test(monitor) : comp === "less";
    this.#minDelta = minDelta;
    this.#resetOnFit = resetOnFit;
  }

  /** @throws ArgumentError when the fit has no such number, also because its validation set is empty. */
  beforeFit({ metrics, valid }: Learner): void {
    if (this.#resetOnFit) this.best = undefined;
    const measured = ["valid_loss", ...metrics.map(({ name }) => name)];
    const isValidated = valid !== undefined && valid.length > 0;
    const names = ["train_loss", ...(isValidated ? measured : [])];
    if (names.includes(this.monitor)) return;
    const why = !isValidated && measured.includes(this.monitor) ? ", for want of validation" : "";
    throw new ArgumentError(
      this.constructor.name,
      `the fit has no ${this.monitor}${why}: [${names.join(", ")}]`,
      "Monitor one of these, or pass a validation set",
    );
  }

  async afterEpoch(learner: Learner): Promise<void> {
    const value = this.#valueOf(learner);
    if (value === undefined) return;
    if (isNaN(value)) {
      const { name } = this.constructor;
      learner.write(`${name}: ${this.monitor} is NaN in epoch ${learner.epoch}: passed over.`);
      return;
    }
    const isBest = this.best === undefined || this.#isBetter(value, this.best);
    if (isBest) this.best = value;
    await this.track(learner, isBest);
  }

  /** An epoch is over; whether its value is the best so far. */
  protected abstract track(learner: Learner, isBest: boolean): void | Promise<void>;

  saveState(): SavedCallbackState {
    return { json: { best: this.best === undefined ? null : toJson(this.best) } };
  }

  loadState({ json }: CallbackState): void {
    const { best } = json as { best: unknown };
    this.best = best === null ? undefined : fromJson(best);
  }

  #valueOf({ recorder }: Learner): number | undefined {
    const row = recorder.rows.at(-1);
    if (this.monitor === "train_loss") return row?.trainLoss;
    if (this.monitor === "valid_loss") return row?.validLoss;
    return row?.metrics[recorder.metricNames.indexOf(this.monitor)];
  }

  #isBetter(value: number, best: number): boolean {
    return this.#isLess ? value + this.#minDelta < best : value - this.#minDelta > best;
  }
}

/** A tracker that loses patience. */
export abstract class PatientTracker extends Tracker {
  /** Epochs since the best one, or since patience last ran out. */
  protected wait = 0;
  readonly #patience: number;

  /** @throws ArgumentError unless the patience is a whole number >= 1. */
  constructor(options: TrackerOptions & { readonly patience?: number } = {}) {
    super(options);
    const { patience = 1 } = options;
    if (!Number.isSafeInteger(patience) || patience < 1) {
      throw new ArgumentError(
        new.target.name,
        `the patience is no whole number >= 1: ${patience}`,
        "Use 1 or more epochs",
      );
    }
    this.#patience = patience;
  }

  override beforeFit(learner: Learner): void {
    super.beforeFit(learner);
    this.wait = 0;
  }

  protected override track(learner: Learner, isBest: boolean): void {
    this.wait = isBest ? 0 : this.wait + 1;
    if (this.wait >= this.#patience) this.losePatience(learner);
  }

  protected abstract losePatience(learner: Learner): void;

  override saveState(): SavedCallbackState {
    return { json: { ...(super.saveState().json as object), wait: this.wait } };
  }

  override loadState(state: CallbackState): void {
    super.loadState(state);
    this.wait = (state.json as { wait: number }).wait;
  }
}
