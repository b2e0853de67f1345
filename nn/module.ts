/**
 * @file Module: a part of a network that owns parameters, buffers and other modules, all found by looking at its fields. Names
 * are the keys of PyTorch's state dicts: `layer1.0.conv1.weight`.
 */
import {
  ArgumentError,
  invalidateCaptures,
  setRequiresGrad,
  type Tensor,
} from "../engine/index.ts";
import { roleOf, type StateRole } from "./parameter.ts";
import { loadStateDict, type LoadOptions, type LoadReport } from "./state-dict.ts";

/** A parameter or buffer in the place where a module holds it. */
export interface StateEntry extends StateRole {
  readonly tensor: Tensor;
}

/**
 * Base of all layers and models. Assign parameters (`parameter(t)`), buffers (`buffer(t)`), modules and arrays of modules to
 * public fields and write `forward`; everything else follows. Call a module as `model.forward(x)`.
 *
 * The names in a path are those of the fields in snake_case, in the order of assignment, as PyTorch's: `this.runningMean` of
 * `this.bn1` is `bn1.running_mean`; the second module of the array `this.blocks` is `blocks.1`.
 */
export abstract class Module {
  /** True in training mode; read it where the two modes differ, set it by `train` and `eval`. */
  training = true;

  /** Computes the result; layers of one input take just `x`. */
  abstract forward(x: Tensor, ...more: Tensor[]): Tensor;

  /** What `toString` prints between the brackets: the options of a layer. */
  describe(): string {
    return "";
  }

  /** Multiply-adds of one forward pass, for `summary`. Layers that multiply by weights override it. Default: 0. */
  multiplyAdds(_input: readonly number[], _output: readonly number[]): number {
    return 0;
  }

  /** Called before buffers are read or written from outside: a layer that counts on the host writes its count now. */
  protected settleBuffers(): void {
    // Most layers keep their buffers up to date all the time.
  }

  /** The modules in the fields of this one, by their names. */
  namedChildren(): Map<string, Module> {
    const children = new Map<string, Module>();
    for (const [field, value] of Object.entries(this)) {
      const name = snakeCase(field);
      if (value instanceof Module) children.set(name, value);
      else if (Array.isArray(value)) {
        value.forEach((item: unknown, i) => {
          if (item instanceof Module) children.set(`${name}.${i}`, item);
        });
      }
    }
    return children;
  }

  /** This module under the name `""` and all modules in it, outermost first; one that is shared comes once. */
  namedModules(): Map<string, Module> {
    const names = new Map<Module, string>();
    for (const [name, module] of walk(this)) if (!names.has(module)) names.set(module, name);
    return new Map(Array.from(names, ([module, name]) => [name, module]));
  }

  /** This module and all modules in it, each once. */
  modules(): Module[] {
    return [...this.namedModules().values()];
  }

  /** All parameters by name, frozen ones included; one that is shared comes once. */
  namedParameters(): Map<string, Tensor> {
    return this.#named("parameter");
  }

  /** All parameters, frozen ones included, each once. */
  parameters(): Tensor[] {
    return [...this.namedParameters().values()];
  }

  /** All buffers by name, for example running statistics; one that is shared comes once. */
  namedBuffers(): Map<string, Tensor> {
    return this.#named("buffer");
  }

  /**
   * Parameters and buffers of this module and all in it, by name, with their roles. One that is shared comes under each of its
   * names, as in PyTorch's state dicts.
   * @throws ArgumentError when a field holds a leaf with `requiresGrad` that is no parameter.
   */
  stateEntries(): Map<string, StateEntry> {
    const entries = new Map<string, StateEntry>();
    for (const [path, module] of walk(this)) {
      module.settleBuffers();
      for (const [field, value] of Object.entries(module) as [string, unknown][]) {
        const role = roleOf(value);
        if (role === undefined) refuseForgottenParameter(module, field, value);
        else entries.set(join(path, snakeCase(field)), { ...role, tensor: value as Tensor });
      }
    }
    return entries;
  }

  /**
   * The tensors of the state by PyTorch's names, in wgrad's axis order: no copies, they change with the model. For files use
   * `exportStateDict`.
   */
  stateDict(): Map<string, Tensor> {
    return new Map(Array.from(this.stateEntries(), ([name, { tensor }]) => [name, tensor]));
  }

  /**
   * Copies the values of a state dict in wgrad's axis order, as `stateDict()` of another model gives it, into this model. For
   * files use `importStateDict`. A missing `num_batches_tracked` is no error: old checkpoints lack it.
   *
   * @param options `strict: false` passes over missing and unexpected names; they are in the report.
   * @throws ArgumentError listing every missing, unexpected and mis-shaped name; the model is then unchanged.
   */
  loadStateDict(state: ReadonlyMap<string, Tensor>, options: LoadOptions = {}): LoadReport {
    return loadStateDict(this, state, options);
  }

  /** Gives each parameter and buffer its full name, for error messages and gradients by name. Returns this. */
  nameTensors(): this {
    for (const [name, { tensor }] of this.stateEntries()) tensor.name = name;
    return this;
  }

  /** Switches this module and all in it to training mode, or with `false` to evaluation. Returns this. */
  train(training = true): this {
    for (const module of this.modules()) {
      if (module.training !== training) invalidateCaptures();
      module.training = training;
    }
    return this;
  }

  /** Switches this module and all in it to evaluation: no dropout, batch norm by its running statistics. Returns this. */
  eval(): this {
    return this.train(false);
  }

  /** Freezes (false) or unfreezes (true) all parameters: whether `backward` makes gradients of them. Returns this. */
  requiresGrad(wanted = true): this {
    for (const leaf of this.parameters()) setRequiresGrad(leaf, wanted);
    return this;
  }

  /** The tree of modules, one a line, as PyTorch prints it. */
  toString(): string {
    const lines = Array.from(this.namedChildren(), ([name, child]) =>
      `(${name}): ${child.toString()}`.replaceAll("\n", "\n  "),
    );
    const description = this.describe();
    if (lines.length === 0) return `${this.constructor.name}(${description})`;
    if (description !== "") lines.unshift(description);
    return `${this.constructor.name}(\n  ${lines.join("\n  ")}\n)`;
  }

  #named(kind: StateRole["kind"]): Map<string, Tensor> {
    const named = new Map<string, Tensor>();
    const seen = new Set<Tensor>();
    for (const [name, entry] of this.stateEntries()) {
      if (entry.kind !== kind || seen.has(entry.tensor)) continue;
      seen.add(entry.tensor);
      named.set(name, entry.tensor);
    }
    return named;
  }
}

/** All modules with their paths, outermost first, shared ones once for each path; a module inside itself is passed over. */
function* walk(
  module: Module,
  path = "",
  outer: readonly Module[] = [],
): Generator<readonly [path: string, module: Module]> {
  yield [path, module];
  const around = [...outer, module];
  for (const [name, child] of module.namedChildren()) {
    if (!around.includes(child)) yield* walk(child, join(path, name), around);
  }
}

function join(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}

/** `runningMean` becomes `running_mean`. */
function snakeCase(field: string): string {
  return field.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A leaf that wants a gradient and that nobody would train is a mistake that only shows as a network that does not learn. */
function refuseForgottenParameter(module: Module, field: string, value: unknown): void {
  if (!isTensor(value) || !value.requiresGrad || value.node !== undefined) return;
  throw new ArgumentError(
    module.constructor.name,
    `the field ${field} wants a gradient but is no parameter: ${value.toString()}`,
    "Assign parameter(t), or detach(t) if it is not to be trained",
  );
}

/** The surface of the engine has Tensor as a type only. */
function isTensor(value: unknown): value is Tensor {
  return typeof value === "object" && value !== null && "dtype" in value && "lease" in value;
}
