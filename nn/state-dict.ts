/**
 * @file State dicts: values into a model, and to and from the host in PyTorch's axis order. wgrad keeps convolution weights as
 * [kernelHeight, kernelWidth, inChannels, outChannels]; files keep PyTorch's [outChannels, inChannels, height, width].
 */
import {
  ArgumentError,
  cast,
  DeviceError,
  DTypeError,
  formatShape,
  noGrad,
  openScope,
  shapesEqual,
  sizeOf,
  stridesOf,
  type Shape,
  type Tensor,
} from "../engine/index.ts";
import type { Module, StateEntry } from "./module.ts";

export interface LoadOptions {
  /** Refuse states that lack a name of the model or have another one. Default: true. */
  readonly strict?: boolean;
}

/** Names that did not fit; both lists are empty after a strict load, but for `num_batches_tracked`. */
export interface LoadReport {
  /** Names of the model that the state lacks. */
  readonly missing: readonly string[];
  /** Names of the state that the model lacks. */
  readonly unexpected: readonly string[];
}

/** A tensor on the host in PyTorch's axis order; the type's name is that of safetensors. */
export type HostState =
  | {
      readonly dtype: "F32";
      readonly shape: Shape;
      readonly data: Float32Array<ArrayBuffer>;
    }
  | {
      readonly dtype: "I64";
      readonly shape: Shape;
      readonly data: BigInt64Array<ArrayBuffer>;
    };

/** A tensor of a file: numbers in PyTorch's axis order. */
export interface ImportableState {
  /** The name of the element type in safetensors. */
  readonly dtype: string;
  readonly shape: Shape;
  readonly data: ArrayLike<number> | ArrayLike<bigint>;
}

/** Types whose arrays hold numbers, not bit patterns. */
const readableTypes = new Set(["F64", "F32", "I64", "U64", "I32", "U32", "I16", "U16", "I8", "U8"]);

/** The shape of each tensor of a model's state in PyTorch's axis order, by name: what `importStateDict` takes. */
export function torchShapes(model: Module): Map<string, Shape> {
  return mapValues(model.stateEntries(), ({ tensor, torchAxes }) =>
    torchShape(tensor.shape, torchAxes),
  );
}

/** See `Module.loadStateDict`. */
export function loadStateDict(
  model: Module,
  state: ReadonlyMap<string, Tensor>,
  { strict = true }: LoadOptions = {},
): LoadReport {
  const entries = model.stateEntries();
  const wanted = mapValues(entries, ({ tensor }) => tensor.shape);
  const given = mapValues(state, ({ shape }) => shape);
  const report = compare("loadStateDict", model, wanted, given, strict);
  for (const [name, { tensor }] of entries) {
    if (state.get(name)?.device !== tensor.device && state.has(name)) {
      throw new DeviceError(
        "loadStateDict",
        `${name} lives on another device than the model`,
        "Use exportStateDict and importStateDict",
      );
    }
  }
  noGrad(() => {
    using _scope = openScope();
    for (const [name, { tensor }] of entries) {
      const source = state.get(name);
      if (source !== undefined) tensor.assign(cast(source, tensor.dtype), "loadStateDict");
    }
  });
  return report;
}

/**
 * Parameters and buffers copied to the host, by PyTorch's names and in PyTorch's axis order: real numbers as F32, whole ones as
 * I64. The result can be written as it is:
 *
 * ```ts
 * await writeFile("model.safetensors", encodeSafetensors(await exportStateDict(model)));
 * ```
 */
export async function exportStateDict(model: Module): Promise<Map<string, HostState>> {
  // All reads are asked for before the first is awaited, so they show one moment.
  const reading = Array.from(model.stateEntries(), async ([name, entry]) => {
    const state = await exportEntry(entry);
    return [name, state] as const;
  });
  return new Map(await Promise.all(reading));
}

async function exportEntry({ tensor, torchAxes }: StateEntry): Promise<HostState> {
  const values = await tensor.data();
  if (!(values instanceof Float32Array)) {
    return { dtype: "I64", shape: tensor.shape, data: BigInt64Array.from(values, BigInt) };
  }
  if (torchAxes === undefined) return { dtype: "F32", shape: tensor.shape, data: values };
  return { dtype: "F32", ...toTorchLayout({ shape: tensor.shape, data: values }, torchAxes) };
}

/**
 * Writes a state dict in PyTorch's names and axis order into a model: what `exportStateDict` gave, or the tensors of a file. Takes
 * any numbers; half floats as bit patterns must be widened before. A missing `num_batches_tracked` is no error.
 *
 * @throws ArgumentError listing every missing, unexpected and mis-shaped name, DTypeError for bit patterns; the model is then
 * unchanged.
 */
export function importStateDict(
  model: Module,
  state: ReadonlyMap<string, ImportableState>,
  { strict = true }: LoadOptions = {},
): LoadReport {
  const entries = model.stateEntries();
  const wanted = torchShapes(model);
  const given = mapValues(state, ({ shape }) => shape);
  const report = compare("importStateDict", model, wanted, given, strict);
  for (const [name, entry] of state)
    if (entries.has(name)) checkReadable("importStateDict", name, entry);
  for (const [name, { tensor, torchAxes }] of entries) {
    const source = state.get(name);
    if (source === undefined) continue;
    const data = numbersOf(source.data);
    const { shape } = source;
    tensor.write(torchAxes === undefined ? data : fromTorchLayout({ shape, data }, torchAxes).data);
  }
  return report;
}

function numbersOf(data: ImportableState["data"]): ArrayLike<number> {
  return data instanceof BigInt64Array || data instanceof BigUint64Array
    ? Float64Array.from(data, Number)
    : (data as ArrayLike<number>);
}

/** Throws `DTypeError` for bit patterns, `ArgumentError` when there are more or fewer values than the shape says. */
export function checkReadable(
  op: string,
  name: string,
  { dtype, shape, data }: ImportableState,
): void {
  if (!readableTypes.has(dtype)) {
    throw new DTypeError(
      op,
      `${name} holds bit patterns, not numbers: ${dtype}`,
      'Widen it first: { dtype: "F32", shape, data: float32Values(entry) }',
    );
  }
  if (data.length !== sizeOf(shape)) {
    throw new ArgumentError(
      op,
      `${name} has ${data.length} values for the shape ${formatShape(shape)}`,
      `It needs ${sizeOf(shape)}`,
    );
  }
}

/** Numbers on the host with a shape, row-major. */
export interface HostNumbers {
  readonly shape: Shape;
  readonly data: ArrayLike<number>;
}

/** The same numbers with the axes in PyTorch's order: axis k of the result is axis `torchAxes[k]` of the argument. */
export function toTorchLayout(
  { shape, data }: HostNumbers,
  torchAxes: readonly number[],
): { shape: number[]; data: Float32Array<ArrayBuffer> } {
  const strides = stridesOf(shape);
  const permuted = torchShape(shape, torchAxes);
  const walkStrides = torchAxes.map((axis) => strides[axis] ?? 0);
  return { shape: permuted, data: readStrided(data, permuted, walkStrides) };
}

/** Undoes `toTorchLayout` with the same `torchAxes`. */
export function fromTorchLayout(
  numbers: HostNumbers,
  torchAxes: readonly number[],
): { shape: number[]; data: Float32Array<ArrayBuffer> } {
  return toTorchLayout(
    numbers,
    torchAxes.map((_, axis) => torchAxes.indexOf(axis)),
  );
}

function torchShape(shape: Shape, torchAxes: readonly number[] | undefined): number[] {
  return torchAxes === undefined ? [...shape] : torchAxes.map((axis) => shape[axis] ?? 0);
}

/** The elements of an array of this shape whose axes lie `strides` apart in `data`, row-major. */
function readStrided(
  data: ArrayLike<number>,
  shape: Shape,
  strides: readonly number[],
): Float32Array<ArrayBuffer> {
  const result = new Float32Array(sizeOf(shape));
  const index = shape.map(() => 0);
  let offset = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = data[offset] ?? NaN;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const stride = strides[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      offset += stride;
      index[axis] = next;
      if (next < (shape[axis] ?? 0)) break;
      offset -= next * stride;
      index[axis] = 0;
    }
  }
  return result;
}

/** Which names do not fit. Throws unless everything fits that must. */
function compare(
  op: string,
  model: Module,
  wanted: ReadonlyMap<string, Shape>,
  given: ReadonlyMap<string, Shape>,
  strict: boolean,
): LoadReport {
  const missing = [...wanted.keys()].filter((name) => !given.has(name));
  const unexpected = [...given.keys()].filter((name) => !wanted.has(name));
  const misshaped: string[] = [];
  for (const [name, shape] of wanted) {
    const other = given.get(name);
    if (other !== undefined && !shapesEqual(shape, other)) {
      misshaped.push(`${name} ${formatShape(other)} for ${formatShape(shape)}`);
    }
  }
  const refused = missing.filter((name) => !name.endsWith("num_batches_tracked"));
  const parts = [
    ...(strict && refused.length > 0 ? [`missing ${refused.join(", ")}`] : []),
    ...(strict && unexpected.length > 0 ? [`unexpected ${unexpected.join(", ")}`] : []),
    ...(misshaped.length > 0 ? [`of another shape ${misshaped.join(", ")}`] : []),
  ];
  if (parts.length === 0) return { missing, unexpected };
  throw new ArgumentError(
    op,
    `the state does not fit ${model.constructor.name}: ${parts.join("; ")}`,
    misshaped.length > 0
      ? "Build the model with the options that the state was saved with"
      : "Load the state of the same model, or pass { strict: false }",
  );
}

function mapValues<A, B>(map: ReadonlyMap<string, A>, change: (value: A) => B): Map<string, B> {
  return new Map(Array.from(map, ([name, value]) => [name, change(value)]));
}
