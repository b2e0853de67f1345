/** @file SaveBest: the weights of the best epoch. Source: fastai, callback/tracker.py (`SaveModelCallback`). */
import {
  exportStateDict,
  importStateDict,
  type HostState,
  type ImportableState,
} from "../state-dict.ts";
import type { CallbackState, SavedCallbackState } from "./callback.ts";
import { requireModule } from "./checkpoint.ts";
import type { Learner } from "./learner.ts";
import { Tracker, type TrackerOptions } from "./tracker.ts";

export interface SaveBestOptions extends TrackerOptions {
  /** Is handed each better state, by PyTorch's names, for example to write it as a file; the fit waits. Default: none. */
  readonly write?: (
    state: ReadonlyMap<string, HostState>,
    learner: Learner,
  ) => void | Promise<void>;
}

/**
 * Keeps the weights and buffers of the best epoch in the host's memory, says so, and puts them back at the end of the fit, also of one that
 * was stopped.
 */
export class SaveBest extends Tracker {
  readonly order = 61;
  readonly stateName = "SaveBest";
  readonly #write: SaveBestOptions["write"];
  #state: ReadonlyMap<string, HostState> | undefined;

  constructor(options: SaveBestOptions = {}) {
    super(options);
    this.#write = options.write;
  }

  /** @throws ArgumentError when the model is no `Module`. */
  override beforeFit(learner: Learner): void {
    super.beforeFit(learner);
    requireModule("SaveBest", learner);
    if (this.best === undefined) this.#state = undefined;
  }

  protected override async track(learner: Learner, isBest: boolean): Promise<void> {
    if (!isBest) return;
    this.#state = await exportStateDict(requireModule("SaveBest", learner));
    await this.#write?.(this.#state, learner);
    const value = this.best?.toFixed(6) ?? "";
    learner.write(`Better model found at epoch ${learner.epoch} with ${this.monitor}: ${value}.`);
  }

  afterFit(learner: Learner): void {
    if (this.#state !== undefined) importStateDict(requireModule("SaveBest", learner), this.#state);
  }

  override saveState(): SavedCallbackState {
    const { json } = super.saveState();
    return this.#state === undefined ? { json } : { json, tensors: this.#state };
  }

  override loadState(state: CallbackState): void {
    super.loadState(state);
    const { tensors = new Map<string, ImportableState>() } = state;
    this.#state = tensors.size === 0 ? undefined : new Map(Array.from(tensors, hostEntry));
  }
}

/** As `exportStateDict` gives it; files keep the types. */
function hostEntry([name, { shape, data }]: readonly [string, ImportableState]): [
  string,
  HostState,
] {
  const isWhole = data instanceof BigInt64Array;
  if (isWhole) return [name, { dtype: "I64", shape, data: BigInt64Array.from(data) }];
  return [name, { dtype: "F32", shape, data: Float32Array.from(data as ArrayLike<number>) }];
}
