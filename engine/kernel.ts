/**
 * @file Kernels: a .wgsl file made callable. Bindings and the layout of `struct Params` come from the WGSL itself, so a
 * definition names only what WGSL cannot say: how many workgroups cover a problem.
 */
import type { Device } from "./device/device.ts";
import type { BoundBuffer } from "./device/bind-groups.ts";
import type { FillParams, Grid } from "./device/commands.ts";
import type { PipelineRequest, ShaderSource } from "./device/pipeline-cache.ts";
import {
  packParams,
  reflectShader,
  type Binding,
  type ParamValues,
  type ShaderReflection,
} from "./device/wgsl-reflection.ts";
import { ArgumentError, DeviceError, LimitError, ShaderError } from "./errors.ts";
import { emptyBranch, follow, type Branch } from "./remember.ts";
import { ceilDiv } from "./shape.ts";
import type { Tensor } from "./tensor.ts";

export type { Grid } from "./device/commands.ts";
export type { ShaderSource } from "./device/pipeline-cache.ts";
export type { ParamValues } from "./device/wgsl-reflection.ts";

/** Values of `override`s: a number, or the name of a `const` of the shader. */
export type Overrides = Readonly<Record<string, number | string>>;

/** Replacements of `alias NAME = ...;` in the shader: the one thing that neither a uniform nor an override can choose. */
export type TypeAliases = Readonly<Record<string, string>>;

export interface KernelDefinition {
  /** Name in errors, labels and profiles, for example `"matmul/tiled"`. */
  readonly name: string;
  /** What `import source from "x.wgsl"` gives. */
  readonly source: ShaderSource;
  /** Default: "main". */
  readonly entryPoint?: string;
  /** The bindings that this entry point uses. Default: all that the file declares. */
  readonly bindings?: readonly string[];
  /** Default values of the shader's overrides. */
  readonly overrides?: Overrides;
  /** Workgroups in x, y and z for a problem; overrides come resolved to numbers. */
  grid(params: ParamValues, overrides: Readonly<Record<string, number>>): Grid;
}

export interface KernelOptions {
  readonly overrides?: Overrides;
  readonly types?: TypeAliases;
  /** Name in profiles, if one kernel serves several ops. Default: the kernel's name. */
  readonly label?: string | undefined;
}

/**
 * Records one dispatch: tensors by binding name, numbers by name of the member of `struct Params`. A function of these numbers is
 * called again by each replay of a captured step; the grid stays as it is.
 */
export type Kernel = (
  tensors: Readonly<Record<string, Tensor>>,
  params?: ParamValues | (() => ParamValues),
  options?: KernelOptions,
) => void;

/** What is left to look up when a kernel is called again with the same overrides and types. */
interface Specialization {
  readonly reflection: ShaderReflection;
  readonly storage: readonly Binding[];
  readonly overrides: Readonly<Record<string, number>>;
  readonly request: PipelineRequest;
}

/**
 * Makes a kernel callable. Nothing is compiled before the first call.
 *
 * @throws ShaderError at the first call when the WGSL cannot be understood, or a name does not occur in it.
 */
export function defineKernel(definition: KernelDefinition): Kernel {
  const specializations = emptyBranch<Branch<Specialization>>();
  return (tensors, params = {}, options = {}) => {
    const { overrides = {}, types = {}, label = definition.name } = options;
    const byOverrides = follow(specializations, overrides);
    const place = follow((byOverrides.value ??= emptyBranch()), types);
    place.value ??= specialize(definition, options);
    dispatch(definition, place.value, tensors, params, label);
  };
}

function specialize(definition: KernelDefinition, options: KernelOptions): Specialization {
  const { name, entryPoint = "main" } = definition;
  const source = withTypes(definition.source, options.types ?? {});
  const reflection = reflectShader(source.file, source.code);
  const wanted = definition.bindings;
  const bindings = reflection.bindings.filter((binding) => wanted?.includes(binding.name) ?? true);
  const missing = wanted?.find(
    (binding) => !reflection.bindings.some(({ name: declared }) => declared === binding),
  );
  if (missing !== undefined) throw unknownName(definition, `binding ${missing}`);
  const overrides = resolveOverrides(definition, reflection, {
    ...definition.overrides,
    ...options.overrides,
  });
  const request: PipelineRequest = {
    label: options.label ?? name,
    source,
    entryPoint,
    constants: overrides,
    bindings,
    paramBytes: 4 * reflection.paramWords,
  };
  const storage = bindings.filter(({ kind }) => kind !== "uniform");
  return { reflection, storage, overrides, request };
}

/** Replaces `alias T = f32;`. Line numbers stay: `enable f16;` joins the first line. */
function withTypes(source: ShaderSource, types: TypeAliases): ShaderSource {
  let { code } = source;
  for (const [name, type] of Object.entries(types)) {
    const pattern = new RegExp(`\\balias\\s+${name}\\s*=\\s*[\\w<>]+\\s*;`);
    if (!pattern.test(code)) {
      throw new ShaderError(
        source.file,
        `the shader has no alias ${name}`,
        `Write \`alias ${name} = f32;\` in it`,
      );
    }
    code = code.replace(pattern, `alias ${name} = ${type};`);
  }
  if (Object.values(types).some((type) => type.includes("f16"))) code = `enable f16; ${code}`;
  return { ...source, code };
}

function resolveOverrides(
  definition: KernelDefinition,
  reflection: ShaderReflection,
  overrides: Overrides,
): Record<string, number> {
  const resolved: Record<string, number> = {};
  for (const [name, value] of Object.entries(overrides)) {
    const number = typeof value === "number" ? value : reflection.constants.get(value);
    if (number === undefined) throw unknownName(definition, `const ${value}`);
    resolved[name] = number;
  }
  return resolved;
}

function unknownName({ name, source }: KernelDefinition, what: string): ShaderError {
  return new ShaderError(
    name,
    `the shader has no ${what}: ${source.file}`,
    "Use the names as the file declares them",
  );
}

function deviceOf(name: string, tensors: Readonly<Record<string, Tensor>>): Device {
  for (const binding in tensors) {
    const device = tensors[binding]?.device;
    if (device !== undefined) return device;
  }
  throw new ArgumentError(
    name,
    "no tensor was bound: {}",
    "Pass the tensors by the names of the bindings",
  );
}

function dispatch(
  definition: KernelDefinition,
  { reflection, storage, overrides, request }: Specialization,
  tensors: Readonly<Record<string, Tensor>>,
  params: ParamValues | (() => ParamValues),
  label: string,
): void {
  const { name, source } = definition;
  const device = deviceOf(name, tensors);
  const pipeline = device.pipelines.get(request);
  const resources = storage.map((binding) => bind(definition, device, binding, tensors));
  checkAliasing(name, storage, tensors, resources);
  const values = typeof params === "function" ? params() : params;
  const grid = definition.grid(values, overrides);
  const page = device.recorder.paramsOf(pipeline);
  packParams(source.file, reflection, values, page);
  const refill: FillParams | undefined =
    typeof params === "function" && device.recorder.isCapturing
      ? (place) => {
          packParams(source.file, reflection, params(), place);
        }
      : undefined;
  device.recorder.dispatch(label, pipeline, resources, page, grid, refill);
}

function bind(
  { name, source }: KernelDefinition,
  device: Device,
  { name: binding, kind }: Binding,
  tensors: Readonly<Record<string, Tensor>>,
): BoundBuffer {
  const bound = tensors[binding];
  if (bound === undefined) {
    throw new ArgumentError(
      name,
      `the binding ${binding} of ${source.file} got no tensor`,
      "Pass it by this name",
    );
  }
  if (bound.device !== device) {
    throw new DeviceError(
      name,
      `the tensor of the binding ${binding} lives on another device: ${bound.toString()}`,
      "Create all of them on one device",
    );
  }
  if (kind === "read_write") bound.hostIntegers = undefined;
  return bound.memory(name);
}

/** WebGPU forbids a buffer to be written through one binding and used through another in the same dispatch. */
function checkAliasing(
  name: string,
  storage: readonly Binding[],
  tensors: Readonly<Record<string, Tensor>>,
  resources: readonly BoundBuffer[],
): void {
  for (let i = 0; i < storage.length; i++) {
    if (storage[i]?.kind !== "read_write") continue;
    for (let j = 0; j < storage.length; j++) {
      if (i !== j && resources[i]?.buffer === resources[j]?.buffer)
        throw aliasingError(name, storage[i], tensors);
    }
  }
}

function aliasingError(
  name: string,
  output: Binding | undefined,
  tensors: Readonly<Record<string, Tensor>>,
): ArgumentError {
  const binding = output?.name ?? "";
  return new ArgumentError(
    name,
    `the output ${binding} shares its memory with another binding: ${tensors[binding]?.toString() ?? ""}`,
    "Write to a tensor of its own",
  );
}

/** The grid for one invocation per item: workgroups in x, spilling into y beyond WebGPU's 65,535. See lib/grid.wgsl. */
export function linearGrid(items: number, workgroupSize: number): Grid {
  const groups = ceilDiv(items, workgroupSize);
  if (groups <= 65535) return [groups, 1, 1];
  const rows = ceilDiv(groups, 65535);
  if (rows > 65535) {
    throw new LimitError(
      "linearGrid",
      `${items} items do not fit into a grid`,
      "Use a smaller tensor",
    );
  }
  return [ceilDiv(groups, rows), rows, 1];
}
