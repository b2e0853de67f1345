/** @file Callbacks: code that runs at the events of a fit. Events and their order are fastai's. */
import { ArgumentError } from "../../engine/index.ts";
import type { HyperName } from "../optim/hypers.ts";
import type { HostState, ImportableState } from "../state-dict.ts";
import type { TrainingEntry } from "../training-state.ts";
import type { Learner } from "./learner.ts";

/** Events outside the batches. What a callback does there may wait. */
export type EpochEvent =
  | "beforeFit"
  | "beforeEpoch"
  | "beforeTrain"
  | "afterCancelTrain"
  | "afterTrain"
  | "beforeValidate"
  | "afterCancelValidate"
  | "afterValidate"
  | "afterCancelEpoch"
  | "afterEpoch"
  | "afterCancelFit"
  | "afterFit";

/** Events of a batch. What a callback does there only records work for the device and must not wait. */
export type BatchEvent =
  | "beforeBatch"
  | "afterPred"
  | "afterLoss"
  | "beforeBackward"
  | "afterCancelBackward"
  | "afterBackward"
  | "beforeStep"
  | "afterCancelStep"
  | "afterStep"
  | "afterCancelBatch"
  | "afterBatch";

/** A training loss that has arrived on the host. */
export interface LossReading {
  readonly loss: number;
  /** The step of the fit that it belongs to, from 0. */
  readonly step: number;
  readonly epoch: number;
}

/** What a callback keeps in a checkpoint. */
export interface CallbackState<T extends ImportableState = ImportableState> {
  /** What JSON can hold: no NaN, no infinity. */
  readonly json: unknown;
  /** Default: none. */
  readonly tensors?: ReadonlyMap<string, T>;
}

/** As a callback gives it. */
export type SavedCallbackState = CallbackState<HostState | TrainingEntry>;

type EpochHandlers = Readonly<
  Partial<Record<EpochEvent, (learner: Learner) => void | Promise<void>>>
>;

type BatchHandlers = Readonly<Partial<Record<BatchEvent, (learner: Learner) => void>>>;

/**
 * What runs at which event. The state of the fit is in the learner's fields.
 *
 *     beforeFit (beforeEpoch
 *       beforeTrain (beforeBatch afterPred afterLoss beforeBackward afterBackward beforeStep afterStep afterBatch)* afterTrain
 *       beforeValidate (beforeBatch afterPred afterLoss afterBatch)* afterValidate
 *     afterEpoch)* afterFit
 *
 * A `Cancel...Exception` thrown in a callback jumps to the matching `afterCancel...`, and then to the `after...` event.
 */
export interface Callback extends EpochHandlers, BatchHandlers {
  /** Callbacks run in ascending order; equal ones as they were given. Default: 0. */
  readonly order?: number;
  /** Whether the events of batches reach it during training. Default: true. */
  readonly runTrain?: boolean;
  /** Whether the events of batches reach it during validation. Default: true. */
  readonly runValid?: boolean;
  /**
   * True when the events from `afterPred` to `afterStep` only record work for the device, the same for each batch, and `onReplay` tells
   * what else they do: then they need not run for a batch whose step is replayed. Default: false. See `LearnerOptions.replay`.
   */
  readonly replayable?: boolean;
  /**
   * The loss of a training batch has arrived on the host, up to two batches late, because training does not wait for the device.
   * Not an event of fastai's.
   */
  readonly lossRead?: (learner: Learner, reading: LossReading) => void;
  /**
   * Runs after each training batch, outside of it, and may wait; `settle` waits until the losses of all batches have been read.
   * Not an event of fastai's.
   */
  readonly betweenBatches?: (
    learner: Learner,
    settle: () => Promise<void>,
  ) => Promise<void> | undefined;
  /** Under this name a checkpoint keeps its state; needed where there are `saveState` and `loadState`. */
  readonly stateName?: string;
  /** What it has to know to go on in the middle of a fit. */
  readonly saveState?: () => SavedCallbackState;
  /** Takes over what `saveState` gave, after `beforeFit`. */
  readonly loadState?: (state: CallbackState) => void;
  /** Hypers that it sets before each training batch, whatever they were. Default: none. */
  readonly schedules?: readonly HyperName[];
  /** Whether it runs in `learner.lrFind` too, which trains only for a look. Default: true. */
  readonly duringLrFind?: boolean;
  /** Runs when the fit is over, also when an error ended it. Not an event of fastai's. */
  readonly cleanUp?: (learner: Learner) => void;
}

/** Events that happen in a step, between the batch and its end. */
const stepEvents = [
  ...["afterPred", "afterLoss", "beforeBackward", "afterCancelBackward", "afterBackward"],
  ...["beforeStep", "afterCancelStep", "afterStep"],
] as readonly BatchEvent[];

/** Callbacks in the order in which they run. */
export class CallbackList {
  readonly #callbacks: readonly Callback[];

  constructor(callbacks: readonly Callback[]) {
    this.#callbacks = [...callbacks].sort((a, b) => (a.order ?? 0) - (b.order ?? 0));
  }

  /** No callback has to run at each step. */
  get areReplayable(): boolean {
    return this.#callbacks.every(
      (callback) =>
        callback.replayable === true ||
        callback.runTrain === false ||
        stepEvents.every((event) => callback[event] === undefined),
    );
  }

  /** Whether one of them sets this hyper before each training batch. */
  schedules(hyper: HyperName): boolean {
    return this.#callbacks.some(({ schedules = [] }) => schedules.includes(hyper));
  }

  async call(event: EpochEvent, learner: Learner): Promise<void> {
    for (const callback of this.#callbacks) await callback[event]?.(learner);
  }

  callInBatch(event: BatchEvent, learner: Learner): void {
    for (const callback of this.#callbacks) {
      const runs = learner.training ? callback.runTrain !== false : callback.runValid !== false;
      const result: unknown = runs ? callback[event]?.(learner) : undefined;
      if (result instanceof Promise) throw asynchronousCallback(event, result);
    }
  }

  /** Undefined when nobody waits. */
  betweenBatches(learner: Learner, settle: () => Promise<void>): Promise<void> | undefined {
    const waiting = this.#callbacks.map((callback) => callback.betweenBatches?.(learner, settle));
    const promises = waiting.filter((promise) => promise !== undefined);
    return promises.length === 0 ? undefined : Promise.all(promises).then(() => undefined);
  }

  /** What the callbacks keep in a checkpoint. */
  saveStates(): Map<string, SavedCallbackState> {
    const states = new Map<string, SavedCallbackState>();
    for (const [name, callback] of this.#stateful()) {
      if (callback.saveState !== undefined) states.set(name, callback.saveState());
    }
    return states;
  }

  /** @throws ArgumentError when there is state of a callback that is not here. */
  checkStates(states: ReadonlyMap<string, CallbackState>): void {
    const own = this.#stateful();
    const missing = [...states.keys()].find((name) => !own.has(name));
    if (missing === undefined) return;
    throw new ArgumentError(
      "resume",
      `the checkpoint has state of ${missing}, and the fit has no such callback: [${[...own.keys()].join(", ")}]`,
      "Pass the callbacks that the fit had",
    );
  }

  /** Hands over states that `checkStates` has seen. */
  loadStates(states: ReadonlyMap<string, CallbackState>): void {
    const own = this.#stateful();
    for (const [name, state] of states) own.get(name)?.loadState?.(state);
  }

  /** By their names; several of one kind are numbered. */
  #stateful(): Map<string, Callback> {
    const named = new Map<string, Callback>();
    for (const callback of this.#callbacks) {
      const { stateName } = callback;
      if (stateName === undefined) continue;
      let [name, number] = [stateName, 1];
      while (named.has(name)) name = `${stateName}-${++number}`;
      named.set(name, callback);
    }
    return named;
  }

  lossRead(learner: Learner, reading: LossReading): void {
    for (const callback of this.#callbacks) callback.lossRead?.(learner, reading);
  }

  cleanUp(learner: Learner): void {
    for (const callback of this.#callbacks) callback.cleanUp?.(learner);
  }
}

function asynchronousCallback(event: BatchEvent, result: Promise<unknown>): ArgumentError {
  result.catch(() => undefined);
  return new ArgumentError(
    event,
    "the callback is asynchronous, but the events of a batch do not wait: it returned a promise",
    "Record work for the device there, and await its result in afterEpoch",
  );
}
