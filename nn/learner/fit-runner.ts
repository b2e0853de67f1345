/** @file FitRunner: runs the plans of a learner, and knows which fit is under way and which one is to be resumed. */
import { ArgumentError } from "../../engine/index.ts";
import type { HyperName } from "../optim/hypers.ts";
import { CallbackList, type Callback } from "./callback.ts";
import { checkCallbacks } from "./check-arguments.ts";
import type { FitState, ResumePoint } from "./checkpoint.ts";
import { describePhase } from "./fine-tune.ts";
import { FitLoop } from "./fit-loop.ts";
import { FitTuning } from "./fit-tuning.ts";
import type { Learner } from "./learner.ts";
import { requireBatches } from "./loader.ts";
import { Overfitting } from "./overfitting.ts";
import type { FitPlan } from "./policies.ts";
import { ProgressCallback, type Progress } from "./progress.ts";
import { checkSameCall } from "./resume.ts";
import { TerminateOnNaN } from "./terminate-on-nan.ts";

export interface FitRunnerOptions {
  readonly progress: Progress;
  /** See `LearnerOptions`. */
  readonly tune: boolean;
  readonly replay: boolean;
}

/** What is under way. */
interface CurrentFit {
  readonly plan: FitPlan;
  readonly loop: FitLoop;
  readonly callbacks: CallbackList;
}

export class FitRunner {
  readonly #learner: Learner;
  readonly #options: FitRunnerOptions;
  #current: CurrentFit | undefined;
  #resumed: ResumePoint | undefined;

  constructor(learner: Learner, options: FitRunnerOptions) {
    this.#learner = learner;
    this.#options = options;
  }

  get isRunning(): boolean {
    return this.#current !== undefined;
  }

  /** Where the next fit goes on; undefined: it begins anew. */
  get resumed(): ResumePoint | undefined {
    return this.#resumed;
  }

  /** The next fit goes on here; at a point between fits it begins anew. */
  resumeAt(point: ResumePoint): void {
    this.#resumed = point.fit === null ? undefined : point;
  }

  /** @throws ArgumentError when a fit is under way. */
  refuseDuringFit(op: string): void {
    if (!this.isRunning) return;
    throw new ArgumentError(op, "another fit is under way", "Await it first");
  }

  /** @throws ArgumentError between `resume` and its fit. */
  refuseBeforeResumedFit(op: string): void {
    if (this.#resumed === undefined || this.isRunning) return;
    throw new ArgumentError(op, "a fit is to be resumed", "Call that fit first");
  }

  /** Whether the fit under way sets this hyper before each batch. */
  schedules(hyper: HyperName): boolean {
    return this.#current?.callbacks.schedules(hyper) ?? false;
  }

  /** What a checkpoint says of the fit under way. */
  state(): FitState {
    const current = this.#current;
    const { epochsSeen } = this.#learner;
    return {
      fit: current?.plan.call ?? null,
      stage: current?.plan.stage ?? 0,
      place: current?.loop.place ?? { epoch: 0, iteration: 0, step: 0, epochsSeen },
      callbacks: current?.callbacks.saveStates() ?? new Map<string, never>(),
    };
  }

  /**
   * @param precision what is added in mixed precision.
   * @throws ArgumentError when a fit is under way, another one is to be resumed, or there is nothing to train on.
   */
  async run(plan: FitPlan, precision: Callback | undefined): Promise<void> {
    this.refuseDuringFit("fit");
    const learner = this.#learner;
    const resumed = this.#resumed;
    requireBatches(plan.call.name, learner.train);
    if (resumed !== undefined) checkSameCall(plan.call, resumed);
    const { tune, replay, progress: display } = this.#options;
    const title = learner.phase && describePhase(learner.phase, plan, learner.optimizer);
    const progress = new ProgressCallback(display, title, !plan.isSearch);
    const callbacks = this.#callbacksOf(plan, progress, precision);
    if (resumed === undefined) this.#beginAnew(plan);
    else callbacks.checkStates(resumed.callbacks);
    const tuning = (plan.options.tune ?? tune) ? new FitTuning(learner, progress) : undefined;
    const loop = new FitLoop(learner, callbacks, { tuning, replay, resumed });
    this.#current = { plan, loop, callbacks };
    try {
      await loop.run(plan.epochs);
    } finally {
      this.#current = undefined;
      // A fit that was refused can be called again, with other callbacks.
      if (loop.hasBegun) this.#resumed = undefined;
    }
  }

  #callbacksOf(
    { call, scheduler, options, isSearch = false }: FitPlan,
    progress: Callback,
    precision: Callback | undefined,
  ): CallbackList {
    const { recorder, callbacks } = this.#learner;
    const ofFit = checkCallbacks(call.name, options.callbacks ?? []);
    const watching = isSearch ? [] : [new TerminateOnNaN(), new Overfitting()];
    const given = isSearch
      ? callbacks.filter(({ duringLrFind }) => duringLrFind !== false)
      : callbacks;
    const all = [
      ...[recorder, ...watching, progress, precision],
      ...[...given, scheduler, ...ofFit],
    ];
    return new CallbackList(all.filter((callback) => callback !== undefined));
  }

  /** What a fit that is resumed has from the checkpoint. */
  #beginAnew({ rates, options: { weightDecay, resetOpt = false } }: FitPlan): void {
    const { optimizer } = this.#learner;
    if (resetOpt) optimizer.clearState();
    optimizer.setHyper("lr", rates);
    if (weightDecay !== undefined) optimizer.setHyper("weightDecay", weightDecay);
  }
}
