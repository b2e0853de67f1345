/**
 * @file Policies: how learning rate and momentum go over a fit. Each makes a plan, which the learner runs.
 * Source: fastai, callback/schedule.py.
 */
import { ArgumentError } from "../../engine/index.ts";
import { learningRates, type LearningRate } from "./learning-rate.ts";
import type { FitOptions, FlatCosOptions, OneCycleOptions, SgdrOptions } from "./options.ts";
import { ParamScheduler } from "./param-scheduler.ts";
import { combinedCos, combineScheds, schedCos, schedNo, type Schedule } from "./schedules.ts";

/** What was called: plain data, so that a checkpoint can hold it. Callbacks are not part of it. */
export interface FitCall {
  /** Name of the learner's method. */
  readonly name: string;
  readonly args: Readonly<Record<string, number | readonly number[] | null>>;
}

/** A fit that is ready to run. */
export interface FitPlan {
  readonly call: FitCall;
  /** Which of the fits of the call it is; only `fineTune` has more than one. */
  readonly stage: number;
  readonly epochs: number;
  /** The highest learning rate of each parameter group; what the optimizer starts with. */
  readonly rates: readonly number[];
  /** Sets hypers before each batch; undefined: they stay. */
  readonly scheduler: ParamScheduler | undefined;
  readonly options: FitOptions;
  /** It only looks for a learning rate. Default: false. */
  readonly isSearch?: boolean;
}

/** What a policy has to know of the learner. */
export interface PolicyPlace {
  readonly groups: number;
  readonly moms: readonly [number, number, number];
}

export function constantPlan(
  { groups }: PolicyPlace,
  epochs: number,
  lr: LearningRate,
  options: FitOptions,
): FitPlan {
  checkEpochs("fit", epochs);
  const rates = learningRates("fit", lr, groups);
  const call = { name: "fit", args: { epochs, rates, ...decayOf(options) } };
  return { call, stage: 0, epochs, rates, scheduler: undefined, options };
}

/** @param op name in errors and in the call. */
export function oneCyclePlan(
  place: PolicyPlace,
  epochs: number,
  lrMax: LearningRate,
  options: OneCycleOptions,
  op = "fitOneCycle",
): FitPlan {
  const { div = 25, divFinal = 1e5, pctStart = 0.25, moms = place.moms } = options;
  checkEpochs(op, epochs);
  const rates = learningRates(op, lrMax, place.groups);
  if (!(pctStart >= 0 && pctStart <= 1 && div > 0 && divFinal > 0)) {
    throw new ArgumentError(
      op,
      `the cycle has no shape: pctStart ${pctStart}, div ${div}, divFinal ${divFinal}`,
      "pctStart is from 0 to 1, the divisors are above 0",
    );
  }
  const scheduler = new ParamScheduler({
    lr: forEach(rates, (lr) => combinedCos(pctStart, lr / div, lr, lr / divFinal)),
    momentum: combinedCos(pctStart, ...moms),
  });
  const args = { epochs, rates, div, divFinal, pctStart, moms, ...decayOf(options) };
  return { call: { name: op, args }, stage: 0, epochs, rates, scheduler, options };
}

export function flatCosPlan(
  { groups }: PolicyPlace,
  epochs: number,
  lr: LearningRate,
  options: FlatCosOptions,
): FitPlan {
  const { divFinal = 1e5, pctStart = 0.75 } = options;
  checkEpochs("fitFlatCos", epochs);
  const rates = learningRates("fitFlatCos", lr, groups);
  if (!(pctStart >= 0 && pctStart <= 1 && divFinal > 0)) {
    throw new ArgumentError(
      "fitFlatCos",
      `the schedule has no shape: pctStart ${pctStart}, divFinal ${divFinal}`,
      "pctStart is from 0 to 1, the divisor is above 0",
    );
  }
  const parts = [pctStart, 1 - pctStart];
  const scheduler = new ParamScheduler({
    lr: forEach(rates, (rate) =>
      combineScheds(parts, [schedNo(rate), schedCos(rate, rate / divFinal)]),
    ),
  });
  const args = { epochs, rates, divFinal, pctStart, ...decayOf(options) };
  return { call: { name: "fitFlatCos", args }, stage: 0, epochs, rates, scheduler, options };
}

/** Cycle i takes `cycleLength * cycleMult^i` epochs, in which the learning rate falls from its maximum to 0 along a cosine. */
export function sgdrPlan(
  { groups }: PolicyPlace,
  cycles: number,
  cycleLength: number,
  lrMax: LearningRate,
  options: SgdrOptions,
): FitPlan {
  const { cycleMult = 2 } = options;
  const rates = learningRates("fitSgdr", lrMax, groups);
  if (![cycles, cycleLength, cycleMult].every((n) => Number.isSafeInteger(n) && n >= 1)) {
    throw new ArgumentError(
      "fitSgdr",
      `these are no whole numbers >= 1: ${cycles} cycles, of ${cycleLength} epochs, times ${cycleMult}`,
      "Use for example fitSgdr(3, 1, 1e-3)",
    );
  }
  const lengths = Array.from({ length: cycles }, (_, i) => cycleLength * cycleMult ** i);
  const epochs = lengths.reduce((sum, length) => sum + length, 0);
  const parts = lengths.map((length) => length / epochs);
  const scheduler = new ParamScheduler({
    lr: forEach(rates, (rate) =>
      combineScheds(
        parts,
        lengths.map(() => schedCos(rate, 0)),
      ),
    ),
  });
  const args = { cycles, cycleLength, cycleMult, rates, ...decayOf(options) };
  return { call: { name: "fitSgdr", args }, stage: 0, epochs, rates, scheduler, options };
}

/** One schedule for each rate. */
function forEach(
  rates: readonly number[],
  schedule: (rate: number) => Schedule,
): (position: number) => number[] {
  const schedules = rates.map(schedule);
  return (position) => schedules.map((at) => at(position));
}

function decayOf({ weightDecay = null }: { readonly weightDecay?: number | null }): {
  weightDecay: number | null;
} {
  return { weightDecay };
}

export function checkEpochs(op: string, epochs: number): void {
  if (!Number.isSafeInteger(epochs) || epochs < 1) {
    throw new ArgumentError(op, `the epochs are no whole number >= 1: ${epochs}`, "Use 1 or more");
  }
}
