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
  readonly params: ReadonlyMap<string, ParamField>;
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

type ParamLayout = Pick<ShaderReflection, "params" | "paramWords">;

function reflectParams(file: string, text: string): ParamLayout {
  const body = /struct\s+Params\s*\{([^}]*)\}/.exec(text)?.[1];
  const params = new Map<string, ParamField>();
  if (body === undefined) return { params, paramWords: 0 };
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
    params.set(name, { name, type: layout.type, offset: words, length: layout.length });
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

/** Memory seen as words and as floats, free from `used` on. */
interface ParamMemory {
  readonly words: Uint32Array;
  readonly floats: Float32Array;
  readonly used: number;
}

/** Lays `values` out as `struct Params`, at `used`. Throws `ShaderError` when a member is missing, unknown or too long. */
export function packParams(
  file: string,
  { params }: ParamLayout,
  values: ParamValues,
  { words, floats, used }: ParamMemory,
): void {
  let found = 0;
  for (const name in values) {
    const field = params.get(name);
    const value = values[name];
    if (field === undefined) throw unknownMember(file, name);
    if (value === undefined) continue;
    found++;
    const target = field.type === "f32" ? floats : words;
    if (typeof value === "number") target[used + field.offset] = value;
    else packList(file, field, value, target, used + field.offset);
  }
  if (found < params.size) throw missingMember(file, params, values);
}

/** By hand, because `set` takes longer than a dispatch. */
function packList(
  file: string,
  { name, length }: ParamField,
  list: readonly number[],
  target: Uint32Array | Float32Array,
  offset: number,
): void {
  if (list.length > length) {
    throw new ShaderError(
      file,
      `the parameter ${name} takes ${length} numbers, not ${list.length}`,
      "Enlarge its array in the shader",
    );
  }
  for (let i = 0; i < length; i++) target[offset + i] = list[i] ?? 0;
}

function missingMember(
  file: string,
  params: ReadonlyMap<string, ParamField>,
  values: ParamValues,
): ShaderError {
  const missing = [...params.keys()].find((name) => values[name] === undefined);
  return new ShaderError(
    file,
    `the parameter ${missing} is missing`,
    `Pass every member of struct Params`,
  );
}

function unknownMember(file: string, name: string): ShaderError {
  return new ShaderError(
    file,
    `struct Params has no member ${name}`,
    "Add it in the shader or do not pass it",
  );
}
