/** @file Stochastic gradient descent with momentum. Formulas: `shaders/optim/sgd.wgsl`. */
import source from "../../shaders/optim/sgd.wgsl";
import { ArgumentError, defineKernel, linearGrid, onReplay } from "../../engine/index.ts";
import type { Arena, Slot } from "./arena.ts";
import { gradientNames } from "./dispatch-list.ts";
import {
  checkFraction,
  type Hypers,
  type ParameterGroup,
  type ParametersOrGroups,
} from "./hypers.ts";
import { Optimizer } from "./optimizer.ts";
import { slotDispatches } from "./slot-dispatch.ts";

export interface SgdHypers extends Hypers {
  /** The part of each gradient that does not reach the running sum, 0 <= dampening < 1. */
  dampening: number;
  /** Nesterov's momentum: the update looks ahead along the running sum. Needs momentum > 0 and dampening 0. */
  nesterov: boolean;
}

/** Gradients that the shader binds. */
const gradientCount = 5;

const momentumKernel = defineKernel({
  name: "sgd/momentum",
  source,
  entryPoint: "momentum",
  grid: ({ workgroups }) => linearGrid(workgroups as number, 1),
});

const plainKernel = defineKernel({
  name: "sgd/plain",
  source,
  entryPoint: "plain",
  bindings: [...gradientNames(gradientCount), "parameters", "guard", "params"],
  grid: ({ workgroups }) => linearGrid(workgroups as number, 1),
});

/**
 * Stochastic gradient descent with PyTorch's update rules, and fastai's where `decoupledWeightDecay` is set.
 *
 * ```ts
 * const optimizer = new SGD(model.parameters(), { lr: 0.1, momentum: 0.9, weightDecay: 5e-4 });
 * ```
 *
 * Defaults: lr 1e-3, momentum 0, dampening 0, no Nesterov, weight decay 0, coupled.
 * Source: torch.optim.SGD.
 */
export class SGD extends Optimizer<SgdHypers> {
  /** @throws ArgumentError and DTypeError as `Optimizer` does; Nesterov without momentum is refused too. */
  constructor(parameters: ParametersOrGroups<SgdHypers>, options: Partial<SgdHypers> = {}) {
    super("SGD", ["velocity"], parameters, {
      lr: 1e-3,
      momentum: 0,
      dampening: 0,
      nesterov: false,
      weightDecay: 0,
      decoupledWeightDecay: false,
      decayVectors: true,
      ...options,
    });
  }

  protected override checkHypers(group: ParameterGroup<SgdHypers>): void {
    const { momentum, dampening, nesterov } = group;
    checkFraction(this.name, "dampening", dampening, "0.5");
    if (nesterov && (momentum === 0 || dampening !== 0)) {
      throw new ArgumentError(
        this.name,
        `Nesterov's form needs momentum > 0 and dampening 0: momentum ${momentum}, dampening ${dampening}`,
        "Set them so, or nesterov: false",
      );
    }
  }

  protected override kernelsOf({ momentum }: ParameterGroup<SgdHypers>): string {
    return momentum === 0 ? "plain" : "momentum";
  }

  protected override update(arena: Arena, slots: readonly Slot[]): void {
    const plain = slots.filter(({ group }) => this.groups[group]?.momentum === 0);
    // The running sum begins anew when momentum is switched on.
    const forgetSteps = (): void => {
      for (const slot of plain) slot.step = 0;
    };
    forgetSteps();
    onReplay(() => ({ run: forgetSteps }));
    this.#dispatch(arena, plain, false);
    this.#dispatch(arena, plain.length === 0 ? slots : slots.filter(({ step }) => step > 0), true);
  }

  #dispatch(arena: Arena, slots: readonly Slot[], withMomentum: boolean): void {
    for (const dispatch of slotDispatches(arena, slots, this.groups, this.guard, gradientCount)) {
      const { slots: updated, tensors, overrides } = dispatch;
      const params = () => ({ ...dispatch.params(), rates: this.#ratesOf(updated) });
      if (withMomentum) {
        const velocity = arena.moments("velocity");
        momentumKernel({ ...tensors, velocity }, params, { overrides });
      } else {
        plainKernel(tensors, params, { overrides });
      }
    }
  }

  /** For each parameter: lr; mu; 1 - dampening; 1 for Nesterov. */
  #ratesOf(slots: readonly Slot[]): number[] {
    const rates: number[] = [];
    for (const { group } of slots) {
      const hypers = this.groups[group];
      if (hypers === undefined) continue;
      const { lr, momentum, dampening, nesterov } = hypers;
      rates.push(lr, momentum, 1 - dampening, nesterov ? 1 : 0);
    }
    return rates;
  }
}
