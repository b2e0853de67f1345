/** @file The layer Sequential. */
import type { Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { runLayers } from "../run-layers.ts";

/**
 * Layers one after the other; their names are their positions: "0", "1", ... Outside recording, activations between the layers are
 * freed on the way.
 *
 * ```ts
 * const model = new Sequential(new Flatten(), new Linear({ inFeatures: 784, outFeatures: 10 }));
 * ```
 */
export class Sequential extends Module implements Iterable<Module> {
  readonly #layers: Module[];

  constructor(...layers: readonly Module[]) {
    super();
    this.#layers = [...layers];
  }

  /** Number of layers. */
  get length(): number {
    return this.#layers.length;
  }

  /** The layer at a position, negative ones from the end; undefined beyond both ends. */
  at(position: number): Module | undefined {
    return this.#layers.at(position);
  }

  /** Adds a layer at the end. Returns this. */
  append(layer: Module): this {
    this.#layers.push(layer);
    return this;
  }

  [Symbol.iterator](): Iterator<Module> {
    return this.#layers[Symbol.iterator]();
  }

  override forward(x: Tensor): Tensor {
    return runLayers(this.#layers, x);
  }

  override namedChildren(): Map<string, Module> {
    return new Map(this.#layers.map((layer, i) => [String(i), layer]));
  }
}
