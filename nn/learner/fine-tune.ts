/** @file fineTune: first the head alone, then everything. Source: fastai, callback/schedule.py (`fine_tune`). */
import { ArgumentError } from "../../engine/index.ts";
import { describeValue } from "./check-arguments.ts";
import { formatRates, slice } from "./learning-rate.ts";
import type { FineTuneOptions } from "./options.ts";
import { countParameters } from "./parameter-groups.ts";
import {
  checkEpochs,
  oneCyclePlan,
  type FitCall,
  type FitPlan,
  type PolicyPlace,
} from "./policies.ts";
import type { Optimizer } from "../optim/optimizer.ts";

/** The parts of `fineTune`. */
export type FitPhase = "frozen" | "unfrozen";

/** The part of the frozen fit in which the learning rate rises. */
const frozenPctStart = 0.99;

/**
 * The two fits:
 *
 *     frozen:    fitOneCycle(freezeEpochs, slice(baseLr), { pctStart: 0.99 })
 *     unfrozen:  fitOneCycle(epochs, slice(baseLr / 2 / lrMult, baseLr / 2), { pctStart, div })
 *
 * Other options reach both. With 0 freezeEpochs there is no frozen fit.
 */
export function fineTunePlans(
  place: PolicyPlace,
  epochs: number,
  baseLr: number,
  options: FineTuneOptions,
): { readonly phase: FitPhase; readonly plan: FitPlan }[] {
  const { freezeEpochs = 1, lrMult = 100, pctStart = 0.3, div = 5, ...both } = options;
  checkEpochs("fineTune", epochs);
  checkFineTune(baseLr, freezeEpochs, lrMult);
  const half = baseLr / 2;
  const open = { ...both, pctStart, div };
  const unfrozen = oneCyclePlan(place, epochs, slice(half / lrMult, half), open, "fineTune");
  const args = { baseLr, freezeEpochs, lrMult, ...unfrozen.call.args };
  const call: FitCall = { name: "fineTune", args };
  const last = { phase: "unfrozen" as const, plan: { ...unfrozen, call, stage: 1 } };
  if (freezeEpochs === 0) return [last];
  const closed = { ...both, pctStart: frozenPctStart };
  const frozen = oneCyclePlan(place, freezeEpochs, slice(baseLr), closed, "fineTune");
  return [{ phase: "frozen", plan: { ...frozen, call, stage: 0 } }, last];
}

function checkFineTune(baseLr: number, freezeEpochs: number, lrMult: number): void {
  const isPositive = (value: number) => Number.isFinite(value) && value > 0;
  if (!Number.isSafeInteger(freezeEpochs) || freezeEpochs < 0) {
    throw new ArgumentError(
      "fineTune",
      `the freezeEpochs are no whole number >= 0: ${freezeEpochs}`,
      "Use 1, or 0 to train everything at once",
    );
  }
  if (!isPositive(baseLr) || !isPositive(lrMult)) {
    throw new ArgumentError(
      "fineTune",
      `these are no finite numbers above 0: baseLr ${describeValue(baseLr)}, lrMult ${describeValue(lrMult)}`,
      "Use for example 2e-3 and 100",
    );
  }
}

/** `frozen: epochs: 1, learning rates up to: 2e-4, 2e-4, 2e-3, trainable parameters: 545,408 of 21,813,056.` */
export function describePhase(phase: FitPhase, plan: FitPlan, optimizer: Optimizer): string {
  const { trainable, total } = countParameters(optimizer);
  const rates = formatRates(plan.rates);
  const count = (n: number) => n.toLocaleString("en");
  return (
    `${phase}: epochs: ${plan.epochs}, learning rates up to: ${rates}, ` +
    `trainable parameters: ${count(trainable)} of ${count(total)}.`
  );
}
