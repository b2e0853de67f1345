/**
 * @file Reads from the text of a shader what TypeScript needs to call it: bindings, the layout of `struct Params`, and
 * named constants. So a binding or a parameter is written down once, in the WGSL. It understands the subset that the
 * shaders of wgrad use and refuses the rest by name.
 */
import { ShaderError } from "../errors.ts";

export type BindingKind = "read" | "read_write" | "uniform";

export interface Binding {
  readonly name: string;
  readonly index: number;
  readonly kind: BindingKind;
}

export type ScalarType = "u32" | "i32" | "f32";

/** One member of `struct Params`: `length` scalars from word `offset` on. */
export interface ParamField {
  readonly name: string;
  readonly type: ScalarType;
  readonly offset: number;
  readonly length: number;
}

export interface ShaderReflection {
  readonly bindings: readonly Binding[];
  readonly params: readonly ParamField[];
  /** Size of `struct Params` in 32-bit words; 0 when there is none. */
  readonly paramWords: number;
  /** Values of `const NAME = 3u;`, by name. */
  readonly constants: ReadonlyMap<string, number>;
}

const reflections = new Map<string, ShaderReflection>();

/** Reflection of a complete shader text; remembered by text. Throws `ShaderError` naming `file`. */
export function reflectShader(file: string, code: string): ShaderReflection {
  const known = reflections.get(code);
  if (known !== undefined) return known;
  const text = code.replace(/\/\*[\s\S]*?\*\//g, "").replace(/\/\/.*$/gm, "");
  const bindings = reflectBindings(file, text);
  const { params, paramWords } = reflectParams(file, text);
  const uniforms = bindings.filter(({ kind }) => kind === "uniform");
  if (uniforms.length !== (paramWords > 0 ? 1 : 0)) {
    throw new ShaderError(
      file,
      `struct Params and the uniforms do not match: ${paramWords * 4} bytes and [${uniforms.map(({ name }) => name).join(", ")}]`,
      "Put all numbers into struct Params and declare `var<uniform> params: Params` once, or neither",
    );
  }
  const reflection = { bindings, params, paramWords, constants: reflectConstants(text) };
  reflections.set(code, reflection);
  return reflection;
}

function reflectBindings(file: string, text: string): Binding[] {
  const pattern =
    /@group\(0\)\s*@binding\((\d+)\)\s*var<\s*(storage|uniform)\s*(?:,\s*(read|read_write)\s*)?>\s*(\w+)/g;
  const bindings = [...text.matchAll(pattern)].map(([, index, space, access, name]): Binding => ({
    name: name ?? "",
    index: Number(index),
    kind: space === "uniform" ? "uniform" : access === "read_write" ? "read_write" : "read",
  }));
  const declared = text.match(/@binding\(/g)?.length ?? 0;
  if (declared !== bindings.length) {
    throw new ShaderError(
      file,
      `${declared - bindings.length} of ${declared} bindings could not be read`,
      "Write each as `@group(0) @binding(i) var<storage, read> name: array<f32>;`, everything in group 0",
    );
  }
  return bindings;
}

function reflectParams(file: string, text: string): { params: ParamField[]; paramWords: number } {
  const body = /struct\s+Params\s*\{([^}]*)\}/.exec(text)?.[1];
  if (body === undefined) return { params: [], paramWords: 0 };
  const params: ParamField[] = [];
  let words = 0;
  for (const member of body.split(/,(?![^<]*>)/)) {
    if (member.trim() === "") continue;
    const [, name, type] = /^\s*(\w+)\s*:\s*([\w\s<>,]+?)\s*$/.exec(member) ?? [];
    const layout = layoutOf(type?.replace(/\s/g, "") ?? "");
    if (name === undefined || layout === undefined) {
      throw new ShaderError(
        file,
        `struct Params has a member that cannot be laid out: ${member.trim()}`,
        "Use u32, i32, f32, vec4<T> or array<vec4<T>, N>",
      );
    }
    words = Math.ceil(words / layout.align) * layout.align;
    params.push({ name, type: layout.type, offset: words, length: layout.length });
    words += layout.length;
  }
  // WGSL rounds a struct up to its largest alignment; rounding every one to 16 bytes is always enough.
  return { params, paramWords: Math.ceil(words / 4) * 4 };
}

function layoutOf(type: string): { type: ScalarType; length: number; align: number } | undefined {
  const scalar = /^(u32|i32|f32)$/.exec(type)?.[1];
  if (scalar !== undefined) return { type: scalar as ScalarType, length: 1, align: 1 };
  const vector = /^(?:array<)?vec4(?:<(u32|i32|f32)>|([uif]))(?:,(\d+)>)?$/.exec(type);
  if (vector === null) return undefined;
  const short = { u: "u32", i: "i32", f: "f32" } as const;
  const element = vector[1] ?? short[(vector[2] ?? "u") as keyof typeof short];
  return { type: element as ScalarType, length: 4 * Number(vector[3] ?? 1), align: 4 };
}

function reflectConstants(text: string): Map<string, number> {
  const pattern = /\bconst\s+(\w+)\s*(?::\s*\w+)?\s*=\s*(-?\d+(?:\.\d+)?)[uif]?\s*;/g;
  return new Map([...text.matchAll(pattern)].map(([, name, value]) => [name ?? "", Number(value)]));
}

/** Numbers for the members of `struct Params`; a vec4 or an array takes a list, which is padded with zeros. */
export type ParamValues = Readonly<Record<string, number | readonly number[]>>;

/** Lays `values` out as `struct Params`. Throws `ShaderError` when a member is missing, unknown or too long. */
export function packParams(
  file: string,
  reflection: ShaderReflection,
  values: ParamValues,
): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array(reflection.paramWords);
  const floats = new Float32Array(words.buffer);
  for (const field of reflection.params) {
    const value = values[field.name];
    if (value === undefined) {
      throw new ShaderError(
        file,
        `the parameter ${field.name} is missing`,
        `Pass every member of struct Params`,
      );
    }
    const target = field.type === "f32" ? floats : words;
    if (typeof value === "number") {
      target[field.offset] = value;
      continue;
    }
    if (value.length > field.length) {
      throw new ShaderError(
        file,
        `the parameter ${field.name} takes ${field.length} numbers, not ${value.length}`,
        "Enlarge its array in the shader",
      );
    }
    target.set(value, field.offset);
  }
  const unknown = Object.keys(values).find(
    (name) => !reflection.params.some((field) => field.name === name),
  );
  if (unknown !== undefined) {
    throw new ShaderError(
      file,
      `struct Params has no member ${unknown}`,
      "Add it in the shader or do not pass it",
    );
  }
  return words;
}
