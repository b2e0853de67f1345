/** @file A kernel that somebody else wrote, made callable: bindings and parameters by name, errors with file, line and column. */
import { loadWgsl } from "../../shaders/loader/load-wgsl.mjs";
import { defineKernel, type ShaderSource, type Tensor } from "../../engine/index.ts";
import { reflectShader } from "../../engine/device/wgsl-reflection.ts";
import { KernelFileError, parseWorkgroups, type Names } from "./workgroups.ts";

/** What a task offers to a kernel. */
export interface Interface {
  /** Names of the tensors, the output last. */
  readonly tensors: readonly string[];
  /** Names that `struct Params` may have. */
  readonly params: readonly string[];
}

/** Records one run. */
export type OwnKernel = (tensors: Readonly<Record<string, Tensor>>, params: Names) => void;

/**
 * Loads a kernel and checks that it asks for nothing but what the task offers.
 * @throws KernelFileError naming the place of the mistake; ShaderError when the WGSL cannot be understood.
 */
export function loadOwnKernel(path: string, task: Interface): OwnKernel {
  const { source } = loadWgsl(path);
  const { bindings, params } = reflectShader(source.file, source.code);
  const workgroups = parseWorkgroups(source.file, source.code, task.params);
  for (const { name, kind } of bindings) {
    if (kind === "uniform" || task.tensors.includes(name)) continue;
    throw unknownName(
      source,
      name,
      `there is no tensor ${name}. The task binds ${list(task.tensors)}`,
    );
  }
  const missing = task.tensors.find((name) => !bindings.some((binding) => binding.name === name));
  if (missing !== undefined) {
    throw new KernelFileError(
      source.file,
      1,
      1,
      `no binding is called ${missing}. The task binds ${list(task.tensors)}`,
    );
  }
  for (const name of params.keys()) {
    if (task.params.includes(name)) continue;
    throw unknownName(
      source,
      name,
      `struct Params cannot have ${name}. The task knows ${list(task.params)}`,
    );
  }
  // The expressions may use names that the kernel itself does not ask for.
  let problem: Names = {};
  const kernel = defineKernel({ name: source.file, source, grid: () => workgroups(problem) });
  const wanted = [...params.keys()];
  return (tensors, values) => {
    problem = values;
    kernel(tensors, Object.fromEntries(wanted.map((name) => [name, values[name] ?? NaN])));
  };
}

/** An error at the first place in the file where the name stands as a word. */
function unknownName(source: ShaderSource, name: string, problem: string): KernelFileError {
  const before = source.code.slice(0, source.code.search(new RegExp(`\\b${name}\\b`)));
  const line = before.split("\n").length;
  return new KernelFileError(source.file, line, before.length - before.lastIndexOf("\n"), problem);
}

const list = (names: readonly string[]): string => names.join(", ");
