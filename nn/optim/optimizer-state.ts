/** @file What an optimizer saves and loads. */
import { ArgumentError } from "../../engine/index.ts";
import type { Hypers, ParameterGroup } from "./hypers.ts";

/** Everything that `loadStateDict` needs to go on as if nothing had happened, on the host. */
export interface OptimizerState {
  /** `"SGD"`, `"Adam"`, `"AdamW"`. */
  readonly optimizer: string;
  readonly groups: readonly OptimizerGroupState[];
}

export interface OptimizerGroupState {
  readonly hypers: Readonly<Record<string, number | boolean>>;
  readonly parameters: readonly OptimizerParameterState[];
}

export interface OptimizerParameterState {
  readonly size: number;
  /** Updates that the parameter has had. */
  readonly step: number;
  /** Updates that it has missed besides, see `Optimizer.guard`. Default: 0. */
  readonly missed?: number;
  /** By name, each of the parameter's size; absent as long as they are all zero. */
  readonly moments: Readonly<Record<string, Float32Array>>;
}

/** Refuses a state of another optimizer, or of other parameters. */
export function checkState(
  name: string,
  groups: readonly ParameterGroup<Hypers>[],
  state: OptimizerState,
): void {
  const op = `${name}.loadStateDict`;
  if (state.optimizer !== name) {
    throw new ArgumentError(
      op,
      `the state is of another optimizer: ${state.optimizer}`,
      `Create a ${state.optimizer}, or begin without a state`,
    );
  }
  const sizes = (lists: readonly (readonly { readonly size: number }[])[]): string =>
    lists.map((list) => `[${list.map(({ size }) => size).join(", ")}]`).join(" ");
  const own = sizes(groups.map((group) => group.parameters));
  const others = sizes(state.groups.map((group) => group.parameters));
  if (own !== others) {
    throw new ArgumentError(
      op,
      `the parameters have other sizes: ${own} here, ${others} in the state`,
      "Use the model and the groups that the state was saved with",
    );
  }
}
