/** @file How a class of modules becomes ONNX operators: the type of an emitter. */
import type { Module } from "../../nn/index.ts";
import type { OnnxBuilder, OnnxValue } from "./builder.ts";

/**
 * Adds what `module.forward(...inputs)` computes in evaluation to the graph, and gives its result. `inputs` stand for the arguments of
 * `forward`; there is at least one.
 */
export type OnnxEmitter<M extends Module> = (
  module: M,
  inputs: readonly [OnnxValue, ...OnnxValue[]],
  graph: OnnxBuilder,
) => OnnxValue;

/** A class of modules. */
export type ModuleClass<M extends Module> = (abstract new (...args: never[]) => M) & {
  readonly prototype: M;
};

/** A class with its emitter. */
export type OnnxEntry = readonly [type: ModuleClass<Module>, emitter: OnnxEmitter<Module>];

/** Pairs a class with an emitter for its instances. */
export function entry<M extends Module>(type: ModuleClass<M>, emitter: OnnxEmitter<M>): OnnxEntry {
  return [type, emitter as OnnxEmitter<Module>];
}
