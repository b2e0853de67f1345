/** @file Hypers: the numbers of an optimizer that schedules set, and the groups of parameters that share them. */
import { ArgumentError, type Tensor } from "../../engine/index.ts";

/** Numbers that every optimizer has; schedules set them while training runs. */
export interface Hypers {
  /** Learning rate, a finite number >= 0. */
  lr: number;
  /** The decay of the running mean of gradients, 0 <= momentum < 1; Adam's first beta. */
  momentum: number;
  /** Strength of the pull of the parameters towards 0, >= 0. */
  weightDecay: number;
  /**
   * False: `weightDecay * parameter` joins the gradient (L2 regularization, as PyTorch's SGD and Adam do it).
   * True: the parameter shrinks by `lr * weightDecay` besides the update (AdamW, arXiv 1711.05101; fastai's default).
   */
  decoupledWeightDecay: boolean;
  /**
   * False spares parameters of at most one axis, which are biases and the scales and shifts of norms, from weight decay, as fastai
   * does. True decays all, as PyTorch does.
   */
  decayVectors: boolean;
}

/** The numbers that schedules set. */
export type HyperName = "lr" | "momentum" | "weightDecay";

/** Parameters that share their hypers. The hypers may be set at any time: `optimizer.groups[0].lr = 0.1`. */
export type ParameterGroup<H extends Hypers> = H & { readonly parameters: readonly Tensor[] };

/** A group to begin with; hypers that it does not name are taken from the optimizer's options. */
export type ParameterGroupOptions<H extends Hypers> = Partial<H> & {
  readonly parameters: Iterable<Tensor>;
};

/** What an optimizer can be made for: parameters in one group, or several groups. */
export type ParametersOrGroups<H extends Hypers> =
  Iterable<Tensor> | readonly ParameterGroupOptions<H>[];

/** Throws `ArgumentError` unless the value is finite and >= 0. */
export function checkNotNegative(op: string, what: string, value: number, example: string): void {
  if (Number.isFinite(value) && value >= 0) return;
  throw new ArgumentError(
    op,
    `${what} is not a finite number >= 0: ${value}`,
    `Use one such as ${example}`,
  );
}

/** Throws `ArgumentError` unless 0 <= value < 1. */
export function checkFraction(op: string, what: string, value: number, example: string): void {
  if (value >= 0 && value < 1) return;
  throw new ArgumentError(
    op,
    `${what} is not at least 0 and below 1: ${value}`,
    `Use a number such as ${example}`,
  );
}
