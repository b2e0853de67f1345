/** @file ParamScheduler: sets hypers before every training batch. Source: fastai, callback/schedule.py. */
import type { HyperName } from "../optim/hypers.ts";
import type { Callback } from "./callback.ts";
import type { Learner } from "./learner.ts";

/** A value for all parameter groups, or one for each, at a position from 0 to 1. */
export type HyperSchedule = (position: number) => number | readonly number[];

/**
 * Sets hypers by schedules. The position of batch `i` of epoch `e` is `(e + i / batches) / epochs`: the first batch gets position 0,
 * and none gets 1.
 */
export class ParamScheduler implements Callback {
  readonly order = 60;
  readonly runValid = false;
  readonly schedules: readonly HyperName[];
  readonly #schedules: Readonly<Partial<Record<HyperName, HyperSchedule>>>;

  constructor(schedules: Readonly<Partial<Record<HyperName, HyperSchedule>>>) {
    this.#schedules = schedules;
    const names = ["lr", "momentum", "weightDecay"] as const;
    this.schedules = names.filter((name) => schedules[name] !== undefined);
  }

  beforeBatch({ optimizer, position }: Learner): void {
    const { lr, momentum, weightDecay } = this.#schedules;
    if (lr !== undefined) optimizer.setHyper("lr", lr(position));
    if (momentum !== undefined) optimizer.setHyper("momentum", momentum(position));
    if (weightDecay !== undefined) optimizer.setHyper("weightDecay", weightDecay(position));
  }
}
