/** @file One layer after the other, with early release of what lies between them when nothing is recorded. */
import { isRecording, openScope, type Tensor } from "../engine/index.ts";
import type { Module } from "./module.ts";

/**
 * Feeds `x` through the layers in order. While the tape records, it keeps what `backward` needs. Otherwise (in `noGrad`) each layer
 * gets a scope of its own, and its input is freed as soon as its result is there; so inference needs the memory of two neighbouring
 * activations, not of all. `x` itself and what was `keep`-ed are left alone.
 */
export function runLayers(layers: Iterable<Module>, x: Tensor): Tensor {
  if (isRecording()) {
    let result = x;
    for (const layer of layers) result = layer.forward(result);
    return result;
  }
  let current: { value: Tensor; ours: boolean } = { value: x, ours: false };
  for (const layer of layers) {
    const next = runInScope(layer, current.value);
    const isOld = next.value === current.value;
    if (current.ours && !isOld && !current.value.kept) current.value.release("the next layer");
    current = { value: next.value, ours: next.ours || (isOld && current.ours) };
  }
  return current.value;
}

/** Frees all that the layer made but its result; `ours` says that the result was made here, too, not just handed on. */
function runInScope(layer: Module, x: Tensor): { value: Tensor; ours: boolean } {
  using scope = openScope();
  const value = layer.forward(x);
  const ours = value.lease.scope === scope;
  scope.keep(value);
  return { value, ours };
}
