/** @file A growing ONNX graph: values, nodes and weights by name, and where in the model we are. */
import { ArgumentError, type Shape, type Tensor } from "../../engine/index.ts";
import type { HostState, Module } from "../../nn/index.ts";
import type { OnnxArray, OnnxAttribute, OnnxNode } from "./graph.ts";
import { emitterOf } from "./registry.ts";

/** What is known of a tensor of the graph. */
export interface OnnxValue {
  readonly name: string;
  /** Number of axes. */
  readonly rank: number;
  /** The channels, wgrad's last axis, are at 1, as ONNX's operators on images want them. Means nothing below three axes. */
  readonly channelsFirst: boolean;
  /** Size of wgrad's last axis; undefined where only running the model tells. */
  readonly channels: number | undefined;
  /** An image of 1 x 1, whose order of axes is all the same. */
  readonly onePixel: boolean;
}

/** What an emitter adds to. Every value has wgrad's shape, but for the order of axes, which `channelsFirst` tells. */
export class OnnxBuilder {
  readonly nodes: OnnxNode[] = [];
  readonly weights = new Map<string, OnnxArray>();
  readonly #model: Module;
  readonly #state: ReadonlyMap<string, HostState>;
  readonly #names = new Map<Tensor, string>();
  readonly #paths = new Map<Module, string>();
  readonly #taken: Set<string>;
  #at: Module;

  /**
   * @param state of `exportStateDict(model)`.
   * @param taken names of the graph's inputs and outputs.
   */
  constructor(model: Module, state: ReadonlyMap<string, HostState>, taken: readonly string[]) {
    this.#model = model;
    this.#at = model;
    this.#state = state;
    for (const [path, module] of model.namedModules()) this.#paths.set(module, path);
    for (const [name, { tensor }] of model.stateEntries()) {
      if (!this.#names.has(tensor)) this.#names.set(tensor, name);
    }
    this.#taken = new Set([...taken, ...state.keys()]);
  }

  /**
   * Adds what a part of the model computes.
   * @throws ArgumentError for a class that has no emitter: see `registerOnnx`.
   */
  module(module: Module, ...inputs: readonly [OnnxValue, ...OnnxValue[]]): OnnxValue {
    const outer = this.#at;
    this.#at = module;
    const emitter = emitterOf(module);
    if (emitter === undefined) {
      const { name } = module.constructor;
      this.refuse(
        `there is no ONNX form of the class ${name}`,
        `Register one: registerOnnx(${name}, (module, [x], graph) => ...)`,
      );
    }
    const result = emitter(module, inputs, this);
    this.#at = outer;
    return result;
  }

  /** Adds modules one after the other. */
  chain(modules: Iterable<Module>, x: OnnxValue): OnnxValue {
    let result = x;
    for (const module of modules) result = this.module(module, result);
    return result;
  }

  /**
   * Adds an operator with one output, which is like its first input but for `changes`.
   * @param inputs undefined leaves an optional one out.
   */
  node(
    operator: string,
    inputs: readonly [OnnxValue, ...(OnnxValue | undefined)[]],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
    changes: Partial<Omit<OnnxValue, "name">> = {},
  ): OnnxValue {
    const names = inputs.map((input) => input?.name ?? "");
    while (names.at(-1) === "") names.pop();
    const output = this.#freshName(operator);
    this.nodes.push({ operator, inputs: names, output, attributes });
    return { ...inputs[0], ...changes, name: output };
  }

  /** A parameter or buffer of the model, under its name and in the axis order of `exportStateDict`. */
  weight(tensor: Tensor): OnnxValue {
    const name = this.#names.get(tensor) ?? "";
    const state = this.#state.get(name);
    if (state === undefined) {
      this.refuse(
        `a weight is no parameter or buffer of the model: ${tensor.toString()}`,
        "Assign it to a public field with parameter(t) or buffer(t)",
      );
    }
    this.weights.set(name, state);
    return constantValue(name, state.shape);
  }

  /** Whole or real numbers of no parameter. */
  constant(label: string, shape: Shape, data: OnnxArray["data"]): OnnxValue {
    const name = this.#freshName(label);
    this.weights.set(name, { shape, data });
    return constantValue(name, shape);
  }

  /** Whole numbers, as axes and shapes are. */
  integers(label: string, values: readonly number[]): OnnxValue {
    return this.constant(label, [values.length], BigInt64Array.from(values, BigInt));
  }

  /** One real number. */
  scalar(value: number): OnnxValue {
    return this.constant("constant", [], Float32Array.of(value));
  }

  /** The same value with channels at 1: [batch, channels, height, width]. */
  channelsFirst(x: OnnxValue): OnnxValue {
    if (x.rank < 3 || x.channelsFirst) return x;
    const between = Array.from({ length: x.rank - 2 }, (_, i) => i + 1);
    return this.node("Transpose", [x], { perm: [0, x.rank - 1, ...between] }, first(true));
  }

  /** The same value in wgrad's order: [batch, height, width, channels]. */
  channelsLast(x: OnnxValue): OnnxValue {
    if (x.rank < 3 || !x.channelsFirst) return x;
    const between = Array.from({ length: x.rank - 2 }, (_, i) => i + 2);
    return this.node("Transpose", [x], { perm: [0, ...between, 1] }, first(false));
  }

  /** Refuses `x` if it is known to have another number of channels than the layer takes. */
  expectChannels(x: OnnxValue, wanted: number): void {
    if (x.channels === undefined || x.channels === wanted) return;
    this.refuse(
      `the input has another number of channels than the layer: ${x.channels} for ${wanted}`,
      "Pass the images' number as the option channels, or change the layer",
    );
  }

  /** Throws ArgumentError with the class and the path of the module that is being written. */
  refuse(problem: string, fix: string): never {
    const path = this.#path();
    const place = this.#at === this.#model ? "the model itself" : path === "" ? "unknown" : path;
    throw new ArgumentError(
      "encodeOnnx",
      `${problem}: ${this.#at.constructor.name} at ${place}`,
      fix,
    );
  }

  #path(): string {
    return this.#paths.get(this.#at) ?? "";
  }

  /** `/layer1.0.conv1/Conv`; the slash keeps it apart from weights. */
  #freshName(label: string): string {
    const path = this.#path();
    const stem = path === "" ? `/${label}` : `/${path}/${label}`;
    let name = stem;
    for (let i = 1; this.#taken.has(name); i++) name = `${stem}_${i}`;
    this.#taken.add(name);
    return name;
  }
}

function constantValue(name: string, shape: Shape): OnnxValue {
  return {
    name,
    rank: shape.length,
    channelsFirst: false,
    channels: shape.at(-1),
    onePixel: false,
  };
}

function first(channelsFirst: boolean): Pick<OnnxValue, "channelsFirst"> {
  return { channelsFirst };
}
