/**
 * @file IDX, the format in which MNIST is published: two zero bytes, an element type, the number of axes, the sizes as
 * big-endian u32, then the elements, row-major and big-endian.
 *
 * Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits", section "File formats".
 */
import { ArgumentError } from "../../engine/index.ts";
import { bytesOf, copyInHostOrder } from "./byte-order.ts";

/** An array as IDX files hold it; the typed array says the element type. */
export interface IdxArray {
  /** Sizes of the axes, outermost first. */
  readonly shape: readonly number[];
  /** Row-major. */
  readonly data:
    | Uint8Array<ArrayBuffer>
    | Int8Array<ArrayBuffer>
    | Int16Array<ArrayBuffer>
    | Int32Array<ArrayBuffer>
    | Float32Array<ArrayBuffer>
    | Float64Array<ArrayBuffer>;
}

/** The third byte of the file for each element type. */
const elementTypes = [
  { code: 0x08, ArrayType: Uint8Array },
  { code: 0x09, ArrayType: Int8Array },
  { code: 0x0b, ArrayType: Int16Array },
  { code: 0x0c, ArrayType: Int32Array },
  { code: 0x0d, ArrayType: Float32Array },
  { code: 0x0e, ArrayType: Float64Array },
] as const;

const largestSize = 0xffffffff;

/**
 * Reads an IDX file that lies in memory. The data are copied, so that the file's bytes can be dropped.
 *
 * @param name - what errors call the file. Default: `"the IDX file"`.
 * @throws ArgumentError when the bytes are no IDX file, or are more or fewer than the header announces.
 */
export function decodeIdx(bytes: Uint8Array, name = "the IDX file"): IdxArray {
  if (bytes.length < 4 || bytes[0] !== 0 || bytes[1] !== 0) {
    throw new ArgumentError(
      "decodeIdx",
      `${name} does not begin with two zero bytes, a type and a rank: ${describeStart(bytes)}`,
      bytes[0] === 0x1f && bytes[1] === 0x8b
        ? "It is compressed: gunzip it first"
        : "Pass the bytes of an IDX file, for example train-images-idx3-ubyte",
    );
  }
  const code = bytes[2];
  const type = elementTypes.find((candidate) => candidate.code === code);
  if (type === undefined) {
    throw new ArgumentError(
      "decodeIdx",
      `${name} has an unknown element type: 0x${(code ?? 0).toString(16).padStart(2, "0")}`,
      "Known are 0x08 (u8), 0x09 (i8), 0x0b (i16), 0x0c (i32), 0x0d (f32), 0x0e (f64)",
    );
  }
  const shape = readShape(bytes, bytes[3] ?? 0, name);
  const begin = 4 + 4 * shape.length;
  const width = type.ArrayType.BYTES_PER_ELEMENT;
  checkLength(bytes.length, begin, shape, width, name);
  const data = copyInHostOrder(bytes.subarray(begin), width, "big");
  return { shape, data: new type.ArrayType(data.buffer) };
}

/**
 * Writes an array as IDX. The same array gives the same bytes on every machine.
 *
 * @throws ArgumentError when the data do not fill the shape, or the shape does not fit the format (255 axes of 2^32 - 1).
 */
export function encodeIdx({ shape, data }: IdxArray): Uint8Array<ArrayBuffer> {
  const type = elementTypes.find(({ ArrayType }) => data instanceof ArrayType);
  if (type === undefined) {
    throw new ArgumentError(
      "encodeIdx",
      `IDX has no element type for ${data.constructor.name}`,
      "Convert to Uint8Array, Int8Array, Int16Array, Int32Array, Float32Array or Float64Array",
    );
  }
  if (
    shape.length > 255 ||
    shape.some((size) => !Number.isInteger(size) || size < 0 || size > largestSize)
  ) {
    throw new ArgumentError(
      "encodeIdx",
      `the shape does not fit the format: [${shape.join(", ")}]`,
      `Use at most 255 axes with sizes from 0 to ${largestSize}`,
    );
  }
  if (elementCount(shape) !== data.length) {
    throw new ArgumentError(
      "encodeIdx",
      `${data.length} values do not fill the shape [${shape.join(", ")}]`,
      `Pass ${elementCount(shape)} values or correct the shape`,
    );
  }
  const header = new DataView(new ArrayBuffer(4 + 4 * shape.length));
  header.setUint8(2, type.code);
  header.setUint8(3, shape.length);
  shape.forEach((size, axis) => {
    header.setUint32(4 + 4 * axis, size);
  });
  const result = new Uint8Array(header.byteLength + data.byteLength);
  result.set(new Uint8Array(header.buffer));
  result.set(copyInHostOrder(bytesOf(data), data.BYTES_PER_ELEMENT, "big"), header.byteLength);
  return result;
}

function readShape(bytes: Uint8Array, rank: number, name: string): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 4 + 4 * rank) {
    throw new ArgumentError(
      "decodeIdx",
      `${name} is cut short: ${bytes.length} bytes, the sizes of ${rank} axes end at byte ${4 + 4 * rank}`,
      "Copy or download it again",
    );
  }
  return Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
}

function checkLength(
  length: number,
  begin: number,
  shape: readonly number[],
  width: number,
  name: string,
): void {
  const expected = begin + elementCount(shape) * width;
  if (length === expected) return;
  throw new ArgumentError(
    "decodeIdx",
    `${name} is ${length < expected ? "cut short" : "too long"}: ` +
      `${length} bytes, but [${shape.join(", ")}] elements of ${width} bytes need ${expected}`,
    "Copy or download it again",
  );
}

function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
}

function describeStart(bytes: Uint8Array): string {
  const start = Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0"));
  return start.length === 0 ? "it is empty" : `it begins with ${start.join(" ")}`;
}
