/** @file Byte order: a file has its own, typed arrays have the machine's. */

export type ByteOrder = "little" | "big";

const hostOrder: ByteOrder = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1 ? "little" : "big";

/**
 * A fresh copy of `bytes`, aligned for every typed array, whose elements of `width` bytes are turned from `order` into the
 * machine's order, or the other way round: both are the same reversal.
 */
export function copyInHostOrder(
  bytes: Uint8Array,
  width: number,
  order: ByteOrder,
): Uint8Array<ArrayBuffer> {
  const copy = new Uint8Array(bytes);
  if (width > 1 && order !== hostOrder) {
    for (let begin = 0; begin + width <= copy.length; begin += width) {
      copy.subarray(begin, begin + width).reverse();
    }
  }
  return copy;
}

/** The bytes of a typed array as they lie in memory; a view, not a copy. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
