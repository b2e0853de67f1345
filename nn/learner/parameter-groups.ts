/**
 * @file Parameter groups: how a learner splits a model for its optimizer, and how it freezes the first groups.
 * Source: fastai, learner.py, optimizer.py (`freeze_to`, `clear_state`) and torch_core.py (`norm_bias_params`).
 */
import { ArgumentError, setRequiresGrad, type Tensor } from "../../engine/index.ts";
import { BatchNorm } from "../layers/batch-norm.ts";
import { LayerNorm } from "../layers/layer-norm.ts";
import { Module } from "../module.ts";
import { Adam, type AdamHypers } from "../optim/adam.ts";
import type { ParametersOrGroups } from "../optim/hypers.ts";
import type { Optimizer } from "../optim/optimizer.ts";
import type { LearnerOptions, Model, OptimizerGroup } from "./options.ts";

/** Adam with fastai's defaults: betas 0.9 and 0.99, eps 1e-5, decoupled decay of 0.01 that spares biases and norms. */
export function fastaiAdam(parameters: ParametersOrGroups<AdamHypers>): Optimizer {
  return new Adam(parameters, {
    betas: [0.9, 0.99],
    eps: 1e-5,
    weightDecay: 0.01,
    decoupledWeightDecay: true,
    decayVectors: false,
  });
}

/**
 * The optimizer that the options of a learner ask for.
 * @throws ArgumentError when both an optimizer and what makes one are given, or the splitter does not split the model.
 */
export function makeOptimizer(options: LearnerOptions): Optimizer {
  const { optimizer, optFunc } = options;
  if (optimizer === undefined) return (optFunc ?? fastaiAdam)(splitModel(options));
  if (optFunc !== undefined) {
    throw new ArgumentError(
      "Learner",
      "both an optimizer and an optFunc were given",
      "Pass one of them",
    );
  }
  if ("splitter" in options) {
    throw new ArgumentError(
      "Learner",
      "both an optimizer and a splitter were given",
      "Make the optimizer with its groups, new Adam([{ parameters: ... }, ...]), or pass optFunc",
    );
  }
  return optimizer;
}

/** The groups of the splitter, each parameter in exactly one. */
function splitModel(options: LearnerOptions): OptimizerGroup[] {
  const { model } = options;
  const all = model.parameters();
  const groups = options.splitter?.(model) ?? [all];
  const split = groups.flat();
  const forgotten = all.filter((parameter) => !split.includes(parameter));
  const foreign = split.filter((parameter) => !all.includes(parameter));
  const twice = split.filter((parameter, i) => split.indexOf(parameter) !== i);
  const faults = [
    ...forgotten.map((parameter) => `in no group: ${parameter.toString()}`),
    ...foreign.map((parameter) => `not of the model: ${parameter.toString()}`),
    ...twice.map((parameter) => `in two groups: ${parameter.toString()}`),
  ];
  if (faults.length > 0) {
    throw new ArgumentError(
      "Learner",
      `the splitter does not split the model: ${faults.slice(0, 3).join("; ")}${faults.length > 3 ? "; ..." : ""}`,
      "Put each parameter of the model into one group",
    );
  }
  return groups.map((parameters) => ({ parameters }));
}

/** Scales and shifts of the norms of a model; none where the model is no `Module`. */
export function normParameters(model: Model): Set<Tensor> {
  if (!(model instanceof Module)) return new Set();
  const norms = model.modules().filter((m) => m instanceof BatchNorm || m instanceof LayerNorm);
  return new Set(norms.flatMap((norm) => norm.parameters()));
}

/**
 * Lets the parameters of groups from `n` on be trained, and those before only where they are in `always`; the optimizer's moments and
 * step counts are dropped. Negative `n` count from the end. Returns a warning where nothing or everything is frozen against expectation.
 */
export function freezeGroups(
  optimizer: Optimizer,
  n: number,
  always: ReadonlySet<Tensor>,
): string | undefined {
  const { groups } = optimizer;
  checkGroup(n, groups.length);
  const first = n < 0 ? groups.length + n : n;
  groups.forEach(({ parameters }, g) => {
    for (const parameter of parameters) {
      setRequiresGrad(parameter, g >= first || always.has(parameter));
    }
  });
  optimizer.clearState();
  if (first >= groups.length) {
    return `freezeTo(${n}): parameter groups: ${groups.length}, so the whole model is frozen.`;
  }
  if (n < 0 && first === 0) {
    return `freezeTo(${n}): parameter groups: ${groups.length}, so nothing is frozen. Pass the learner a splitter.`;
  }
  return undefined;
}

function checkGroup(n: number, groups: number): void {
  if (Number.isSafeInteger(n) && n >= -groups) return;
  throw new ArgumentError(
    "freezeTo",
    `this is no index of ${groups} parameter groups: ${n}`,
    `Use a whole number from ${-groups} on; 0 unfreezes all`,
  );
}

/** Elements of the parameters that are trained, and of all. */
export function countParameters({ parameters }: Optimizer): {
  readonly trainable: number;
  readonly total: number;
} {
  const count = (list: readonly Tensor[]) => list.reduce((sum, { size }) => sum + size, 0);
  return {
    trainable: count(parameters.filter(({ requiresGrad }) => requiresGrad)),
    total: count(parameters),
  };
}
