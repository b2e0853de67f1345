/**
 * @file Tensors as PyTorch saves them: a typed storage, and a shape with strides over it. Several tensors may lie in one storage,
 * overlap in it, and step over it in any order.
 *
 * While a pickle runs, only what it says of storages and tensors is noted. The data come after: in a legacy file they follow the
 * pickle, and all that is asked for can be added up and refused before any of it is allocated.
 */
import { bytesPerElement, type SafetensorsDType } from "../safetensors-header.ts";
import { entryOf, type SafetensorsEntry } from "../safetensors.ts";
import { copyInHostOrder, type ByteOrder } from "../byte-order.ts";
import { fail, quote } from "./fail.ts";

/** A storage that a pickle names. */
export class Storage {
  readonly key: string;
  readonly dtype: SafetensorsDType;
  /** Elements. */
  readonly length: number;

  constructor(key: string, dtype: SafetensorsDType, length: number) {
    this.key = key;
    this.dtype = dtype;
    this.length = length;
  }

  get byteLength(): number {
    return this.length * bytesPerElement[this.dtype];
  }
}

/** A part of a storage, as legacy files have it; `offset` counts elements. */
export class StorageView {
  readonly storage: Storage;
  readonly offset: number;
  readonly length: number;

  constructor(storage: Storage, offset: number, length: number) {
    this.storage = storage;
    this.offset = offset;
    this.length = length;
  }
}

/** Where the elements of a tensor are; `offset` and `strides` count elements of the storage. */
export interface Layout {
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** What PyTorch allows. */
const largestRank = 64;

/** Collects what a pickle says of its storages and tensors, and gives the tensors their data afterwards. */
export class TensorCollector {
  /** By key. */
  readonly storages = new Map<string, Storage>();
  readonly #tensors = new Map<object, { storage: Storage; layout: Layout }>();

  /** The storage of this key; a file that says two things of one key is refused. */
  storage(key: string, dtype: SafetensorsDType, length: number): Storage {
    const known = this.storages.get(key);
    if (known === undefined) {
      const storage = new Storage(key, dtype, length);
      if (!Number.isSafeInteger(storage.byteLength))
        fail(`a storage has an impossible size: ${length} elements`);
      this.storages.set(key, storage);
      return storage;
    }
    if (known.dtype !== dtype || known.length !== length) {
      fail(
        `the storage ${quote(key)} has two types or sizes: ` +
          `${known.length} ${known.dtype} and ${length} ${dtype}`,
      );
    }
    return known;
  }

  /** A tensor without its data; `read` fills them in. */
  tensor(view: StorageView, layout: Layout): SafetensorsEntry {
    checkLayout(view, layout);
    const { storage } = view;
    const tensor = entryOf({ dtype: storage.dtype, shape: layout.shape }, new ArrayBuffer(0));
    const offset = view.offset + layout.offset;
    this.#tensors.set(tensor, { storage, layout: { ...layout, offset } });
    return tensor;
  }

  isTensor(value: unknown): value is SafetensorsEntry {
    return typeof value === "object" && value !== null && this.#tensors.has(value);
  }

  /**
   * Fills in the data of all tensors. `bytesOf` gives those of a storage and is asked once for each that is used.
   *
   * @throws ArgumentError when the tensors would take over `maxBytes` together.
   */
  read(bytesOf: (storage: Storage) => Uint8Array, order: ByteOrder, maxBytes: number): void {
    this.#checkTotal(maxBytes);
    const readers = new Map<Storage, StorageReader>();
    for (const [tensor, { storage, layout }] of this.#tensors) {
      let reader = readers.get(storage);
      if (reader === undefined) {
        reader = new StorageReader(storage, bytesOf(storage), order);
        readers.set(storage, reader);
      }
      Object.assign(
        tensor,
        entryOf({ dtype: storage.dtype, shape: layout.shape }, allocated(reader, layout)),
      );
    }
  }

  #checkTotal(maxBytes: number): void {
    let total = 0;
    for (const { storage, layout } of this.#tensors.values()) {
      total += sizeOf(layout.shape) * bytesPerElement[storage.dtype];
    }
    if (total > maxBytes) {
      fail(
        `the tensors would take ${total} bytes of memory, allowed are ${maxBytes}`,
        "Where tensors share a lot of memory that is in order: pass { maxBytes }",
      );
    }
  }
}

/** The elements of one storage. */
class StorageReader {
  readonly #bytes: Uint8Array;
  readonly #width: number;
  readonly #order: ByteOrder;
  /** All elements in the machine's order; made when a tensor first steps over them. */
  #inHostOrder: Uint8Array<ArrayBuffer> | undefined;

  constructor(storage: Storage, bytes: Uint8Array, order: ByteOrder) {
    if (bytes.length !== storage.byteLength) {
      fail(
        `the storage ${quote(storage.key)} has ${bytes.length} bytes, ` +
          `but ${storage.length} elements of type ${storage.dtype} take ${storage.byteLength}`,
      );
    }
    this.#bytes = bytes;
    this.#width = bytesPerElement[storage.dtype];
    this.#order = order;
  }

  /** Row-major, in memory of their own. */
  elements({ shape, strides, offset }: Layout): ArrayBuffer {
    const width = this.#width;
    const size = sizeOf(shape);
    if (size === 0) return new ArrayBuffer(0);
    if (isContiguous(shape, strides)) {
      const bytes = this.#bytes.subarray(offset * width, (offset + size) * width);
      return copyInHostOrder(bytes, width, this.#order).buffer;
    }
    this.#inHostOrder ??= copyInHostOrder(this.#bytes, width, this.#order);
    return gather(this.#inHostOrder.buffer, width, { shape, strides, offset });
  }
}

/** An allocation that the machine cannot give ends in an error of ours. */
function allocated(reader: StorageReader, layout: Layout): ArrayBuffer {
  try {
    return reader.elements(layout);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return fail(
      `a tensor of shape [${layout.shape.join(", ")}] does not fit into memory: ${error.message}`,
      "Save the weights alone, or give the process more memory",
    );
  }
}

function checkLayout({ storage, length }: StorageView, { shape, strides, offset }: Layout): void {
  if (shape.length > largestRank || strides.length !== shape.length) {
    fail(`a tensor has ${shape.length} axes and ${strides.length} strides`);
  }
  if (shape.includes(0)) return;
  const last = shape.reduce((sum, size, axis) => sum + (size - 1) * (strides[axis] ?? 0), offset);
  if (last >= length) {
    fail(
      `a tensor reaches over the end of its storage ${quote(storage.key)}: ` +
        `shape [${shape.join(", ")}], strides [${strides.join(", ")}], offset ${offset}, ${length} elements`,
    );
  }
}

function sizeOf(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, size) => product * size, 1);
}

/** Whether the elements follow one another row by row; strides of axes of size 1 mean nothing. */
function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis] ?? 1;
    if (size !== 1 && strides[axis] !== expected) return false;
    expected *= size;
  }
  return true;
}

/** Copies as words, so that no bits change on the way; an element of 8 bytes is two of them. */
function gather(
  source: ArrayBuffer,
  width: number,
  { shape, strides, offset }: Layout,
): ArrayBuffer {
  const Words = width === 1 ? Uint8Array : width === 2 ? Uint16Array : Uint32Array;
  const wordsPerElement = width / Words.BYTES_PER_ELEMENT;
  const from = new Words(source);
  const to = new Words(sizeOf(shape) * wordsPerElement);
  const index = shape.map(() => 0);
  let element = offset;
  for (let i = 0; i < to.length; i += wordsPerElement) {
    for (let word = 0; word < wordsPerElement; word++) {
      to[i + word] = from[element * wordsPerElement + word] ?? 0;
    }
    element += step(index, shape, strides);
  }
  return to.buffer;
}

/** Moves `index` to the next element, row-major, and returns how far that is in the storage. */
function step(index: number[], shape: readonly number[], strides: readonly number[]): number {
  let distance = 0;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const stride = strides[axis] ?? 0;
    const next = (index[axis] ?? 0) + 1;
    distance += stride;
    index[axis] = next;
    if (next < (shape[axis] ?? 0)) break;
    distance -= next * stride;
    index[axis] = 0;
  }
  return distance;
}
