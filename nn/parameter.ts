/**
 * @file What a module owns on the device: parameters, which are trained, and buffers, which are not but belong to the state.
 * Both are ordinary tensors; this file remembers which is which and how PyTorch orders their axes.
 */
import { keep, setRequiresGrad, type Tensor } from "../engine/index.ts";

export interface StateOptions {
  /**
   * Axis k of PyTorch's tensor is axis `torchAxes[k]` of ours; used when state is exported and imported. Default: the same order.
   */
  readonly torchAxes?: readonly number[];
}

/** How a tensor belongs to the module that holds it. */
export interface StateRole {
  readonly kind: "parameter" | "buffer";
  readonly torchAxes: readonly number[] | undefined;
}

const roles = new WeakMap<object, StateRole>();

/**
 * Makes a leaf a parameter: it wants a gradient, outlives every scope, and a module that holds it in a field lists it, also
 * while it is frozen. Returns its argument.
 *
 * ```ts
 * class Scale extends Module {
 *   readonly scale = parameter(ones([1]));
 *   override forward(x: Tensor): Tensor { return mul(x, this.scale); }
 * }
 * ```
 * @throws DTypeError for integers, ArgumentError for results of ops.
 */
export function parameter(leaf: Tensor, options: StateOptions = {}): Tensor {
  setRequiresGrad(leaf, true);
  roles.set(leaf, { kind: "parameter", torchAxes: options.torchAxes });
  return keep(leaf);
}

/** Makes a tensor a buffer: state that is saved but not trained, as running statistics. Returns its argument. */
export function buffer(tensor: Tensor, options: StateOptions = {}): Tensor {
  roles.set(tensor, { kind: "buffer", torchAxes: options.torchAxes });
  return keep(tensor);
}

/** The role of a value found in a field; undefined for everything else. */
export function roleOf(value: unknown): StateRole | undefined {
  return typeof value === "object" && value !== null ? roles.get(value) : undefined;
}
