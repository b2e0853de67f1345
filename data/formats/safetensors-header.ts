/**
 * @file The header of a safetensors file: JSON that names the tensors and says where their bytes are. Everything that a
 * reader must refuse is refused here, before any data are touched.
 *
 * Source: https://github.com/huggingface/safetensors, section "Format", and the checks of its reference reader.
 */
import { ArgumentError } from "../../engine/index.ts";

/** Element types by their names in the file, with the bytes of one element; ordered as the reference writer sorts them. */
export const bytesPerElement = {
  U64: 8,
  I64: 8,
  F64: 8,
  F32: 4,
  U32: 4,
  I32: 4,
  BF16: 2,
  F16: 2,
  U16: 2,
  I16: 2,
  F8_E8M0: 1,
  F8_E4M3: 1,
  F8_E5M2: 1,
  I8: 1,
  U8: 1,
  BOOL: 1,
} as const;

/** Name of an element type in a safetensors file. */
export type SafetensorsDType = keyof typeof bytesPerElement;

/** Where a tensor is: `begin` and `end` count bytes from the end of the header. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: SafetensorsDType;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  /** In the order of their data. */
  readonly tensors: readonly TensorInfo[];
  readonly metadata: ReadonlyMap<string, string>;
  /** First byte of the data in the file. */
  readonly dataBegin: number;
}

/** Headers may not be longer, says the format: it bounds what a reader must parse before it can judge. */
export const maxHeaderBytes = 100_000_000;

/** The key under which a file may carry strings of its own. */
export const metadataKey = "__metadata__";

const op = "decodeSafetensors";

/** Reads and checks the header. Throws `ArgumentError` unless the file is exactly as the format demands. */
export function readHeader(bytes: Uint8Array): SafetensorsHeader {
  const { text, dataBegin } = headerText(bytes);
  const root = parseObject(text);
  const metadata = readMetadata(root[metadataKey]);
  const tensors = Object.entries(root)
    .filter(([name]) => name !== metadataKey)
    .map(([name, info]) => readInfo(name, info))
    .sort((a, b) => a.begin - b.begin || a.end - b.end);
  checkCoverage(tensors, bytes.length - dataBegin);
  return { tensors, metadata, dataBegin };
}

function fail(problem: string, fix = "Copy or download the file again"): never {
  throw new ArgumentError(op, problem, fix);
}

function headerText(bytes: Uint8Array): { text: string; dataBegin: number } {
  if (bytes.length < 8)
    fail(`the file is cut short: ${bytes.length} bytes, the header's length alone takes 8`);
  const length = new DataView(bytes.buffer, bytes.byteOffset, 8).getBigUint64(0, true);
  if (length > BigInt(maxHeaderBytes)) {
    fail(
      `the header's length is over the format's limit: ${length} bytes, at most ${maxHeaderBytes}`,
      "Check that this is a safetensors file",
    );
  }
  const dataBegin = 8 + Number(length);
  if (dataBegin > bytes.length) {
    fail(
      `the file is cut short: ${bytes.length} bytes, the header alone ends at byte ${dataBegin}`,
    );
  }
  const header = bytes.subarray(8, dataBegin);
  if (header[0] !== 0x7b)
    fail("the header does not begin with {", "Check that this is a safetensors file");
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(header);
    return { text, dataBegin };
  } catch {
    return fail("the header is not valid UTF-8");
  }
}

function parseObject(text: string): Record<string, unknown> {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch (error) {
    fail(`the header is not valid JSON (${error instanceof Error ? error.message : "too deep"})`);
  }
  const repeated = repeatedKey(text);
  if (repeated !== undefined) {
    fail(
      `the header has a key twice: ${JSON.stringify(repeated)}`,
      "Ask who wrote the file: readers disagree on which one counts",
    );
  }
  return isRecord(root) ? root : fail("the header is not a JSON object");
}

/**
 * The first key that one object of `json`, which is known to be valid, holds twice. JSON.parse lets the last one win and
 * tells nobody.
 */
function repeatedKey(json: string): string | undefined {
  const keysOfOpenObjects: Set<string>[] = [];
  for (let i = 0; i < json.length; i++) {
    if (json[i] === "{") keysOfOpenObjects.push(new Set());
    else if (json[i] === "}") keysOfOpenObjects.pop();
    else if (json[i] === '"') {
      const begin = i;
      i = endOfString(json, begin);
      if (!colonFollows(json, i + 1)) continue;
      const key = JSON.parse(json.slice(begin, i + 1)) as string;
      const keys = keysOfOpenObjects.at(-1);
      if (keys?.has(key) === true) return key;
      keys?.add(key);
    }
  }
  return undefined;
}

/** Position of the quote that closes the string opened at `begin`. */
function endOfString(json: string, begin: number): number {
  let i = begin + 1;
  while (i < json.length && json[i] !== '"') i += json[i] === "\\" ? 2 : 1;
  return i;
}

/** True at the end of a key; strings that are values are followed by a comma or a bracket. */
function colonFollows(json: string, position: number): boolean {
  let i = position;
  while (" \t\n\r".includes(json[i] ?? ":")) i++;
  return json[i] === ":";
}

function readMetadata(value: unknown): ReadonlyMap<string, string> {
  const metadata = new Map<string, string>();
  if (value === undefined) return metadata;
  if (!isRecord(value)) fail(`${metadataKey} is not an object`);
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string")
      fail(`${metadataKey} holds something else than strings, at ${JSON.stringify(key)}`);
    metadata.set(key, text);
  }
  return metadata;
}

function readInfo(name: string, value: unknown): TensorInfo {
  const label = JSON.stringify(name);
  if (!isRecord(value)) fail(`the entry of ${label} is not an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !isDType(dtype)) {
    fail(
      `${label} has an element type that is not known here: ${dtype === undefined ? "none" : JSON.stringify(dtype)}`,
      `Known are ${Object.keys(bytesPerElement).join(", ")}`,
    );
  }
  if (!isSizes(shape)) fail(`the shape of ${label} is not a list of whole numbers >= 0`);
  if (!isSizes(offsets) || offsets.length !== 2)
    fail(`the data_offsets of ${label} are not two whole numbers >= 0`);
  const [begin = 0, end = 0] = offsets;
  const byteLength =
    (shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1)) *
    bytesPerElement[dtype];
  if (end - begin !== byteLength) {
    fail(
      `${label} has ${end - begin} bytes at [${begin}, ${end}], but ${dtype} of shape [${shape.slice(0, 8).join(", ")}] takes ${byteLength}`,
    );
  }
  return { name, dtype, shape, begin, end };
}

/** The tensors, in order, must cover the data exactly: no hole, no overlap, nothing after the last. */
function checkCoverage(tensors: readonly TensorInfo[], dataLength: number): void {
  let covered = 0;
  for (const { name, begin, end } of tensors) {
    if (begin !== covered) {
      fail(
        `the data of ${JSON.stringify(name)} begin at ${begin}, the tensor before ends at ${covered}: ${begin > covered ? "a hole" : "an overlap"}`,
      );
    }
    covered = end;
  }
  if (covered !== dataLength) {
    fail(`the file has ${dataLength} bytes of data, its tensors take ${covered}`);
  }
}

function isDType(name: string): name is SafetensorsDType {
  return Object.hasOwn(bytesPerElement, name);
}

function isSizes(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((size) => Number.isSafeInteger(size) && size >= 0);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
