/** @file Which class of modules becomes which ONNX operators. */
import type { Module } from "../../nn/index.ts";
import { entry, type ModuleClass, type OnnxEmitter } from "./emitter.ts";
import { activations } from "./emitters/activations.ts";
import { containers } from "./emitters/containers.ts";
import { convolutions } from "./emitters/convolutions.ts";
import { norms } from "./emitters/norms.ts";
import { pools } from "./emitters/pools.ts";
import { products } from "./emitters/products.ts";
import { shapes } from "./emitters/shapes.ts";

const emitters = new Map([
  ...activations,
  ...containers,
  ...convolutions,
  ...norms,
  ...pools,
  ...products,
  ...shapes,
]);

/**
 * Tells `encodeOnnx` how modules of a class are written, in place of what it knew of the class before.
 *
 * ```ts
 * registerOnnx(Mish, (_module, [x], graph) => {
 *   const gate = graph.node("Tanh", [graph.node("Softplus", [x])]);
 *   return graph.node("Mul", [x, gate]);
 * });
 * ```
 *
 * A class that inherits `forward` inherits this too; one with a `forward` of its own needs an emitter of its own. Modules of several
 * layers pass on: `(block, [x], graph) => graph.module(block.second, graph.module(block.first, x))`.
 */
export function registerOnnx<M extends Module>(
  type: ModuleClass<M>,
  emitter: OnnxEmitter<M>,
): void {
  emitters.set(...entry(type, emitter));
}

/** The emitter of a module's class, or of the one that it has its `forward` from; undefined if there is none. */
export function emitterOf(module: Module): OnnxEmitter<Module> | undefined {
  // Not `module.forward`: hooks cover it with a field.
  const own = Object.getPrototypeOf(module) as Module;
  for (let type = own; "forward" in type; type = Object.getPrototypeOf(type) as Module) {
    const emitter = emitters.get(type.constructor as unknown as ModuleClass<Module>);
    if (emitter !== undefined && type.forward === own.forward) return emitter;
  }
  return undefined;
}
