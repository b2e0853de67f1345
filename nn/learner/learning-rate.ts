/**
 * @file Learning rates of several parameter groups, from one number, a list, or a slice.
 * Source: fastai, learner.py (`_update_params`, `even_mults`) and optimizer.py (`set_hyper`).
 */
import { ArgumentError } from "../../engine/index.ts";
import { describeValue, isObject } from "./check-arguments.ts";

/** See `slice`. */
export interface LrSlice {
  /** Of the first group; undefined: a tenth of `stop` for every group but the last. */
  readonly start: number | undefined;
  /** Of the last group. */
  readonly stop: number;
}

/** One learning rate for all parameter groups, a slice, or one for each. */
export type LearningRate = number | LrSlice | readonly number[];

/** What a group that is not the last gets of `slice(stop)`. */
const earlierGroups = 1 / 10;

/**
 * Learning rates that differ from group to group, the early layers learning slower, as fastai's `slice`:
 *
 *     slice(stop):         stop / 10 for every group but the last, stop for the last
 *     slice(start, stop):  start * (stop / start)^(i / (groups - 1)) for group i
 *
 * With one group both are `stop`. Not to be mistaken for the engine's `slice` of a tensor.
 *
 * ```ts
 * await learner.fitOneCycle(3, slice(1e-5, 1e-3));
 * ```
 * @throws ArgumentError unless all are finite and above 0.
 */
export function slice(...ends: [stop: number] | [start: number, stop: number]): LrSlice {
  const bad = ends.find((rate) => !(Number.isFinite(rate) && rate > 0));
  if (bad !== undefined) {
    throw new ArgumentError(
      "slice",
      `a learning rate is not a finite number above 0: ${bad}`,
      "Use for example slice(1e-5, 1e-3)",
    );
  }
  const [first, second] = ends;
  return second === undefined ? { start: undefined, stop: first } : { start: first, stop: second };
}

/**
 * One learning rate for each group.
 * @throws ArgumentError when a rate is not finite or below 0, or a list has not one for each group.
 */
export function learningRates(op: string, lr: LearningRate, groups: number): number[] {
  checkKind(op, lr);
  const rates = expand(lr, groups);
  const bad = rates.find((rate) => !(Number.isFinite(rate) && rate >= 0));
  if (bad !== undefined) {
    throw new ArgumentError(
      op,
      `a learning rate is not a finite number >= 0: ${describeValue(bad)}`,
      "Use one such as 1e-3",
    );
  }
  if (rates.length !== groups) {
    throw new ArgumentError(
      op,
      `${rates.length} learning rates for ${groups} parameter groups: [${rates.join(", ")}]`,
      "Pass one number, slice(first, last), or one for each group",
    );
  }
  return rates;
}

function checkKind(op: string, lr: unknown): void {
  if (typeof lr === "number" || Array.isArray(lr) || (isObject(lr) && "stop" in lr)) return;
  throw new ArgumentError(
    op,
    `the learning rate is neither a number, a slice nor a list: ${describeValue(lr)}`,
    "Use for example 1e-3, slice(1e-5, 1e-3), or [1e-4, 1e-3] for two parameter groups",
  );
}

function expand(lr: LearningRate, groups: number): number[] {
  const indices = Array.from({ length: groups }, (_, i) => i);
  if (typeof lr === "number") return indices.map(() => lr);
  if (!("stop" in lr)) return [...lr];
  const { start, stop } = lr;
  const last = groups - 1;
  if (start === undefined) return indices.map((i) => (i === last ? stop : stop * earlierGroups));
  return indices.map((i) => (i === last ? stop : start * (stop / start) ** (i / last)));
}

/** `2e-4, 2e-3` */
export function formatRates(rates: readonly number[]): string {
  return rates.map((rate) => Number(rate.toPrecision(3)).toExponential()).join(", ");
}
