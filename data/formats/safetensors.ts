/**
 * @file safetensors, the format in which weights are published: a JSON header, then the tensors' bytes, little-endian,
 * row-major, without holes. Reading it runs no code and allocates no more than the file is long.
 *
 * Source: https://github.com/huggingface/safetensors, section "Format".
 */
import { ArgumentError } from "../../engine/index.ts";
import { bytesOf, copyInHostOrder } from "./byte-order.ts";
import {
  bytesPerElement,
  maxHeaderBytes,
  metadataKey,
  readHeader,
  type SafetensorsDType,
  type TensorInfo,
} from "./safetensors-header.ts";

/**
 * The typed array for each element type. Types that JavaScript lacks are held as their bits (F16, BF16, F8_*) or as bytes
 * (BOOL), so that reading and writing loses nothing; `float32Values` turns them into numbers.
 */
export interface SafetensorsArrays {
  U64: BigUint64Array<ArrayBuffer>;
  I64: BigInt64Array<ArrayBuffer>;
  F64: Float64Array<ArrayBuffer>;
  F32: Float32Array<ArrayBuffer>;
  U32: Uint32Array<ArrayBuffer>;
  I32: Int32Array<ArrayBuffer>;
  BF16: Uint16Array<ArrayBuffer>;
  F16: Uint16Array<ArrayBuffer>;
  U16: Uint16Array<ArrayBuffer>;
  I16: Int16Array<ArrayBuffer>;
  F8_E8M0: Uint8Array<ArrayBuffer>;
  F8_E4M3: Uint8Array<ArrayBuffer>;
  F8_E5M2: Uint8Array<ArrayBuffer>;
  I8: Int8Array<ArrayBuffer>;
  U8: Uint8Array<ArrayBuffer>;
  BOOL: Uint8Array<ArrayBuffer>;
}

/** A tensor of a safetensors file on the host; `dtype` says which array `data` is. */
export type SafetensorsEntry = {
  [D in SafetensorsDType]: {
    readonly dtype: D;
    /** Sizes of the axes, outermost first; `[]` is a scalar. */
    readonly shape: readonly number[];
    /** Row-major. */
    readonly data: SafetensorsArrays[D];
  };
}[SafetensorsDType];

export interface SafetensorsFile {
  /** The tensors by name, in the order of their data in the file. */
  readonly tensors: ReadonlyMap<string, SafetensorsEntry>;
  /** The strings under `__metadata__`, for example `format: "pt"`; empty when the file has none. */
  readonly metadata: ReadonlyMap<string, string>;
}

/**
 * Reads a safetensors file that lies in memory. All data are copied: they are aligned, and the file's bytes can be dropped.
 *
 * @throws ArgumentError when the bytes are not exactly as the format demands: cut short, unknown element types, shapes that
 * do not fit the bytes, holes, overlaps, keys that appear twice, a header over 100 MB.
 */
export function decodeSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { tensors, metadata, dataBegin } = readHeader(bytes);
  const entries = new Map<string, SafetensorsEntry>();
  for (const info of tensors) {
    const { buffer } = copyInHostOrder(
      bytes.subarray(dataBegin + info.begin, dataBegin + info.end),
      bytesPerElement[info.dtype],
      "little",
    );
    entries.set(info.name, entryOf(info, buffer));
  }
  return { tensors: entries, metadata };
}

/**
 * Writes a safetensors file: the tensors sorted by element type, widest first, then by name, as the reference writer does.
 * So every tensor is aligned, and the same tensors give the same bytes on every machine, in whatever order they come.
 *
 * @param metadata - strings to store beside the tensors; keys are sorted. Default: none.
 * @throws ArgumentError when a name comes twice or is `__metadata__`, when data do not fill their shape or are of another
 * typed array than their element type, or when the header would be over 100 MB.
 */
export function encodeSafetensors(
  tensors: Iterable<readonly [name: string, entry: SafetensorsEntry]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const sorted = [...tensors].sort(compareEntries);
  const header = encodeHeader(sorted, metadata);
  const dataBytes = sorted.reduce((sum, [, { data }]) => sum + data.byteLength, 0);
  const file = new Uint8Array(8 + header.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  let begin = 8 + header.length;
  for (const [, { data }] of sorted) {
    file.set(copyInHostOrder(bytesOf(data), data.BYTES_PER_ELEMENT, "little"), begin);
    begin += data.byteLength;
  }
  return file;
}

/** An entry over all of `buffer`, whose elements must be in the machine's byte order. */
export function entryOf(
  { dtype, shape }: Pick<TensorInfo, "dtype" | "shape">,
  buffer: ArrayBuffer,
): SafetensorsEntry {
  switch (dtype) {
    case "U64":
      return { dtype, shape, data: new BigUint64Array(buffer) };
    case "I64":
      return { dtype, shape, data: new BigInt64Array(buffer) };
    case "F64":
      return { dtype, shape, data: new Float64Array(buffer) };
    case "F32":
      return { dtype, shape, data: new Float32Array(buffer) };
    case "U32":
      return { dtype, shape, data: new Uint32Array(buffer) };
    case "I32":
      return { dtype, shape, data: new Int32Array(buffer) };
    case "BF16":
    case "F16":
    case "U16":
      return { dtype, shape, data: new Uint16Array(buffer) };
    case "I16":
      return { dtype, shape, data: new Int16Array(buffer) };
    case "I8":
      return { dtype, shape, data: new Int8Array(buffer) };
    case "F8_E8M0":
    case "F8_E4M3":
    case "F8_E5M2":
    case "U8":
    case "BOOL":
      return { dtype, shape, data: new Uint8Array(buffer) };
  }
}

type NamedEntry = readonly [name: string, entry: SafetensorsEntry];

const rankOfDType = new Map(Object.keys(bytesPerElement).map((dtype, rank) => [dtype, rank]));
const encoder = new TextEncoder();

function compareEntries([nameA, a]: NamedEntry, [nameB, b]: NamedEntry): number {
  const byType = (rankOfDType.get(a.dtype) ?? 0) - (rankOfDType.get(b.dtype) ?? 0);
  return byType === 0 ? compareUtf8(nameA, nameB) : byType;
}

/** Order of the UTF-8 bytes, which is that of the code points; `<` of JavaScript compares UTF-16. */
function compareUtf8(a: string, b: string): number {
  const bytesA = encoder.encode(a);
  const bytesB = encoder.encode(b);
  for (let i = 0; i < Math.min(bytesA.length, bytesB.length); i++) {
    const difference = (bytesA[i] ?? 0) - (bytesB[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return bytesA.length - bytesB.length;
}

/** Compact JSON, padded with spaces to a multiple of 8 bytes so that the data are aligned. */
function encodeHeader(
  sorted: readonly NamedEntry[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const fields: string[] = [];
  const metadataEntries = Object.entries(metadata).sort(([a], [b]) => compareUtf8(a, b));
  if (metadataEntries.length > 0) {
    const pairs = metadataEntries.map(([key, text]) => `${quote(key)}:${quote(text)}`);
    fields.push(`${quote(metadataKey)}:{${pairs.join(",")}}`);
  }
  const names = new Set([metadataKey]);
  let begin = 0;
  for (const [name, entry] of sorted) {
    if (names.has(name)) {
      const problem =
        name === metadataKey ? "a tensor has the reserved name" : "a name comes twice";
      throw new ArgumentError("encodeSafetensors", `${problem}: ${quote(name)}`, "Rename one");
    }
    names.add(name);
    checkEntry(name, entry);
    const end = begin + entry.data.byteLength;
    const { dtype, shape } = entry;
    fields.push(`${quote(name)}:${JSON.stringify({ dtype, shape, data_offsets: [begin, end] })}`);
    begin = end;
  }
  const json = encoder.encode(`{${fields.join(",")}}`);
  const padded = new Uint8Array(Math.ceil(json.length / 8) * 8).fill(0x20);
  padded.set(json);
  if (padded.length <= maxHeaderBytes) return padded;
  throw new ArgumentError(
    "encodeSafetensors",
    `the header would be over the format's limit: ${padded.length} bytes, at most ${maxHeaderBytes}`,
    "Shorten names and metadata, or write several files",
  );
}

function checkEntry(name: string, { dtype, shape, data }: SafetensorsEntry): void {
  const count = shape.reduce((product, size) => product * size, 1);
  if (shape.some((size) => !Number.isSafeInteger(size) || size < 0) || data.length !== count) {
    throw new ArgumentError(
      "encodeSafetensors",
      `${data.length} values do not fill the shape of ${quote(name)}: [${shape.join(", ")}]`,
      "Correct the shape or the data",
    );
  }
  const { constructor } = entryOf({ dtype, shape }, new ArrayBuffer(0)).data;
  if (!(data instanceof constructor)) {
    throw new ArgumentError(
      "encodeSafetensors",
      `${quote(name)} is ${dtype}, but its data are a ${data.constructor.name}`,
      `Its data must be of type ${constructor.name}`,
    );
  }
}

/** A JSON string. Throws `ArgumentError` for half a surrogate pair, which UTF-8 cannot hold. */
function quote(text: string): string {
  if (/\p{Surrogate}/u.test(text)) {
    throw new ArgumentError(
      "encodeSafetensors",
      `a name or metadata string is not valid Unicode: ${JSON.stringify(text)}`,
      "Use whole characters",
    );
  }
  return JSON.stringify(text);
}
