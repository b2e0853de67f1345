/** @file Hooks: what goes into a module and comes out, for summaries and pictures of activations. */
import { invalidateCaptures, onReplay, type Tensor } from "../engine/index.ts";
import type { Module } from "./module.ts";

/** Told of every call of `module.forward`, after it; `keep` tensors that you want to use later. */
export type ForwardHook = (output: Tensor, input: Tensor, module: Module) => void;

const hooksOf = new WeakMap<Module, Set<ForwardHook>>();

/**
 * Calls `hook` after each `forward` of this module; the result stops it.
 *
 * ```ts
 * const stop = hookForward(model.layer4, (output) => { activation = keep(output); });
 * ```
 */
export function hookForward(module: Module, hook: ForwardHook): () => void {
  const known = hooksOf.get(module);
  const hooks = known ?? new Set<ForwardHook>();
  if (known === undefined) {
    hooksOf.set(module, hooks);
    const forward = module.forward.bind(module);
    // A field of the same name covers the method of the class.
    module.forward = (x, ...more) => {
      const output = forward(x, ...more);
      onReplay(() => ({ isValid: () => hooks.size === 0 }));
      for (const each of hooks) each(output, x, module);
      return output;
    };
  }
  hooks.add(hook);
  invalidateCaptures();
  return () => {
    hooks.delete(hook);
    if (hooks.size > 0 || hooksOf.get(module) !== hooks) return;
    hooksOf.delete(module);
    Reflect.deleteProperty(module, "forward");
  };
}
