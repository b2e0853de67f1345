/** @file Adam and AdamW. Formulas: `shaders/optim/adam.wgsl`. */
import source from "../../shaders/optim/adam.wgsl";
import { defineKernel, linearGrid } from "../../engine/index.ts";
import type { Arena, Slot } from "./arena.ts";
import {
  checkFraction,
  checkNotNegative,
  type Hypers,
  type ParameterGroup,
  type ParametersOrGroups,
} from "./hypers.ts";
import { Optimizer } from "./optimizer.ts";
import { slotDispatches } from "./slot-dispatch.ts";

export interface AdamHypers extends Hypers {
  /** The decay of the running mean of squared gradients, 0 <= squareMomentum < 1; Adam's second beta. */
  squareMomentum: number;
  /** Added to the root of that mean, outside the root; >= 0. */
  eps: number;
}

/** As `AdamHypers`; `betas` is PyTorch's word for `[momentum, squareMomentum]`. */
export type AdamOptions = Partial<AdamHypers> & { readonly betas?: readonly [number, number] };

/** Gradients that the shader binds. */
const gradientCount = 4;
/** Stands in for ln 0: a uniform has no infinity to rely on, and exp of this is 0. */
const lowestLog = -1000;

const kernel = defineKernel({
  name: "adam",
  source,
  grid: ({ workgroups }) => linearGrid(workgroups as number, 1),
});

/**
 * Adam with PyTorch's update rule. fastai's is the same with `{ betas: [0.9, 0.99], eps: 1e-5, weightDecay: 0.01,
 * decoupledWeightDecay: true }`. The bias correction of a step uses the momentum of that step, as both have it.
 *
 * Defaults: lr 1e-3, betas [0.9, 0.999], eps 1e-8, weight decay 0, coupled.
 * Source: Kingma and Ba, arXiv 1412.6980; torch.optim.Adam.
 */
export class Adam extends Optimizer<AdamHypers> {
  /** @throws ArgumentError and DTypeError as `Optimizer` does. */
  constructor(
    parameters: ParametersOrGroups<AdamHypers>,
    options: AdamOptions = {},
    name = "Adam",
  ) {
    const { betas = [0.9, 0.999], ...hypers } = options;
    super(name, ["first", "second"], parameters, {
      lr: 1e-3,
      momentum: betas[0],
      squareMomentum: betas[1],
      eps: 1e-8,
      weightDecay: 0,
      decoupledWeightDecay: false,
      decayVectors: true,
      ...hypers,
    });
  }

  protected override checkHypers({ squareMomentum, eps }: ParameterGroup<AdamHypers>): void {
    checkFraction(this.name, "squareMomentum", squareMomentum, "0.999");
    checkNotNegative(this.name, "eps", eps, "1e-8");
  }

  protected override update(arena: Arena, slots: readonly Slot[]): void {
    const state = { first: arena.moments("first"), second: arena.moments("second") };
    for (const dispatch of slotDispatches(arena, slots, this.groups, this.guard, gradientCount)) {
      const { slots: updated, tensors, overrides } = dispatch;
      const params = () => ({
        ...dispatch.params(),
        rates: updated.flatMap((slot) => this.#ratesOf(slot)),
        moments: updated.flatMap((slot) => this.#momentsOf(slot)),
        logs: updated.flatMap((slot) => this.#logsOf(slot)),
      });
      kernel({ ...tensors, ...state }, params, { overrides });
    }
  }

  /** lr / (1 - b1^t); 1 / sqrt(1 - b2^t); eps; -. */
  #ratesOf({ group, step }: Slot): number[] {
    const hypers = this.groups[group];
    if (hypers === undefined) return [];
    const { lr, momentum, squareMomentum, eps } = hypers;
    return [lr / (1 - momentum ** step), 1 / Math.sqrt(1 - squareMomentum ** step), eps, 0];
  }

  /** b1; 1 - b1; b2; 1 - b2. */
  #momentsOf({ group }: Slot): number[] {
    const hypers = this.groups[group];
    if (hypers === undefined) return [];
    const { momentum, squareMomentum } = hypers;
    return [momentum, 1 - momentum, squareMomentum, 1 - squareMomentum];
  }

  /** ln b1; ln b2; -; -. */
  #logsOf({ group }: Slot): number[] {
    const hypers = this.groups[group];
    if (hypers === undefined) return [];
    const logOf = (decay: number): number => Math.max(Math.log(decay), lowestLog);
    return [logOf(hypers.momentum), logOf(hypers.squareMomentum), 0, 0];
  }
}

/**
 * Adam with decoupled weight decay: the parameters shrink by `lr * weightDecay` besides the update.
 *
 * Defaults: lr 1e-3, betas [0.9, 0.999], eps 1e-8, weight decay 0.01.
 * Source: Loshchilov and Hutter, arXiv 1711.05101; torch.optim.AdamW.
 */
export class AdamW extends Adam {
  /** @throws ArgumentError and DTypeError as `Optimizer` does. */
  constructor(parameters: ParametersOrGroups<AdamHypers>, options: AdamOptions = {}) {
    super(parameters, { weightDecay: 0.01, decoupledWeightDecay: true, ...options }, "AdamW");
  }
}
