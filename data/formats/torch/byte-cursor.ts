/** @file Reads numbers and strings one after another from bytes; an error, not `undefined`, where they end. */
import { fail } from "./fail.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** A position in bytes that moves forward with every read. All reads throw `ArgumentError` where the bytes end. */
export class ByteCursor {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #position: number;

  constructor(bytes: Uint8Array, position = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#position = position;
  }

  /** Bytes from the start of what the cursor was made of. */
  get position(): number {
    return this.#position;
  }

  get remaining(): number {
    return this.#bytes.length - this.#position;
  }

  uint8(): number {
    return this.#view.getUint8(this.#advance(1));
  }

  uint16(): number {
    return this.#view.getUint16(this.#advance(2), true);
  }

  int32(): number {
    return this.#view.getInt32(this.#advance(4), true);
  }

  uint32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  /** A count of 64 bits; refused where it is larger than JavaScript's exact integers. */
  size64(): number {
    const value = this.#view.getBigUint64(this.#advance(8), true);
    if (value > BigInt(Number.MAX_SAFE_INTEGER)) fail(`a size is impossible: ${value.toString()}`);
    return Number(value);
  }

  /** Big-endian, as pickles have it. */
  float64(): number {
    return this.#view.getFloat64(this.#advance(8), false);
  }

  /** A view of the next bytes, not a copy. */
  bytes(length: number): Uint8Array {
    const begin = this.#advance(length);
    return this.#bytes.subarray(begin, begin + length);
  }

  skip(length: number): void {
    this.#advance(length);
  }

  text(length: number): string {
    return decodeUtf8(this.bytes(length));
  }

  /** The text before the next line feed, which is skipped. Names of Python are short; the limit bounds the search. */
  line(longest = 1000): string {
    const limit = Math.min(this.#bytes.length, this.#position + longest);
    const end = this.#bytes.subarray(0, limit).indexOf(0x0a, this.#position);
    if (end < 0) fail(`a line does not end: at byte ${this.#position}`);
    const text = this.text(end - this.#position);
    this.skip(1);
    return text;
  }

  /** Where the next `length` bytes begin. */
  #advance(length: number): number {
    if (length < 0 || length > this.remaining) {
      fail(
        `the data are cut short: ${length} bytes wanted at byte ${this.#position}, ${this.remaining} left`,
      );
    }
    const begin = this.#position;
    this.#position += length;
    return begin;
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return utf8.decode(bytes);
  } catch {
    return fail("a string is not valid UTF-8");
  }
}
