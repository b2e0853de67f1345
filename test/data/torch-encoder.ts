/**
 * @file Writes checkpoints as `torch.save` does, byte by byte, for the tests of the reader: pieces of pickles of protocol 2 that are
 * joined by hand, a zip archive with every oddity that real ones have, and the legacy layout.
 */
import { crc32 } from "node:zlib";

type Bytes = Uint8Array;

export function concat(...parts: readonly (Bytes | readonly number[])[]): Bytes {
  const result = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let end = 0;
  for (const part of parts) {
    result.set(part, end);
    end += part.length;
  }
  return result;
}

const ascii = (text: string): Bytes => new TextEncoder().encode(text);

function littleEndian(width: 1 | 2 | 4 | 8, value: number): Bytes {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigInt64(0, BigInt(value), true);
  return new Uint8Array(view.buffer, 0, width);
}

// Pieces of pickles.

export const none = [0x4e];
export const bool = (value: boolean) => [value ? 0x88 : 0x89];
const mark = [0x28];
export const emptyDict = [0x7d];
export const int = (value: number) => concat([0x4a], littleEndian(4, value));
export const put = (index: number) => [0x71, index];
export const get = (index: number) => [0x68, index];
const reduce = [0x52];

export const float = (value: number): Bytes => {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value, false);
  return concat([0x47], new Uint8Array(view.buffer));
};

/** LONG1: two's complement, little-endian. */
export const long = (...bytes: number[]) => concat([0x8a, bytes.length], bytes);

export const str = (text: string): Bytes => {
  const bytes = ascii(text);
  return concat([0x58], littleEndian(4, bytes.length), bytes);
};

/** As Python 2 wrote strings. */
export const str2 = (text: string): Bytes => concat([0x55, text.length], ascii(text));

/** A part of a pickle. */
export type Piece = Bytes | readonly number[];

export const tuple = (...items: readonly Piece[]): Bytes => concat(mark, ...items, [0x74]);
export const list = (...items: readonly Piece[]): Bytes => concat([0x5d], mark, ...items, [0x65]);
export const global = (module: string, name: string): Bytes => ascii(`c${module}\n${name}\n`);
export const call = (callee: Piece, ...args: readonly Piece[]): Bytes =>
  concat(callee, tuple(...args), reduce);

const itemsOf = (entries: Readonly<Record<string, Piece>>): Bytes =>
  concat(mark, ...Object.entries(entries).flatMap(([key, value]) => [str(key), value]), [0x75]);

export const dict = (entries: Readonly<Record<string, Piece>>): Bytes =>
  concat(emptyDict, itemsOf(entries));

/** An OrderedDict with the attributes that `state_dict()` gives it. */
export const stateDict = (entries: Readonly<Record<string, Piece>>): Bytes =>
  concat(
    call(global("collections", "OrderedDict")),
    itemsOf(entries),
    dict({ _metadata: call(global("collections", "OrderedDict")) }),
    [0x62],
  );

export const storage = (type: string, key: string, length: number, ...part: Piece[]): Bytes =>
  concat(
    tuple(
      str("storage"),
      global("torch", `${type}Storage`),
      str(key),
      str("cpu"),
      int(length),
      ...part,
    ),
    [0x51],
  );

export interface TensorOptions {
  readonly offset?: number;
  readonly strides?: readonly number[];
}

/** A tensor over a storage; row-major unless strides are given. */
export function tensor(
  over: Piece,
  shape: readonly number[],
  {
    offset = 0,
    strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1)),
  }: TensorOptions = {},
): Bytes {
  return call(
    global("torch._utils", "_rebuild_tensor_v2"),
    over,
    int(offset),
    tuple(...shape.map(int)),
    tuple(...strides.map(int)),
    bool(false),
    call(global("collections", "OrderedDict")),
  );
}

/** The whole pickle. */
export const pickle = (...pieces: readonly Piece[]): Bytes => concat([0x80, 2], ...pieces, [0x2e]);

// Archives.

export interface ZipOptions {
  /** Write sizes and offsets as ZIP64 does. */
  readonly zip64?: boolean;
  /** Write no checksums. */
  readonly withoutChecksums?: boolean;
  /** Compression method of the directory. Default: 0, stored. */
  readonly method?: number;
  readonly comment?: string;
}

/** An archive as PyTorch writes it: zeros in the local headers, a padding field "FB", descriptors after the data. */
export function zip(entries: Readonly<Record<string, Bytes>>, options: ZipOptions = {}): Bytes {
  const { zip64 = false, comment = "" } = options;
  let file: Bytes = new Uint8Array(0);
  let directory: Bytes = new Uint8Array(0);
  const count = Object.keys(entries).length;
  for (const [name, data] of Object.entries(entries)) {
    const checksum = options.withoutChecksums === true ? 0 : crc32(data);
    directory = concat(
      directory,
      directoryEntry(name, data.length, checksum, file.length, options),
    );
    file = concat(file, localEntry(name, data, checksum));
  }
  const [size, offset] = [directory.length, file.length];
  const end64 = zip64 ? endRecords64(count, size, offset) : [];
  return concat(
    file,
    directory,
    end64,
    endRecord(count, size, offset, zip64),
    littleEndian(2, comment.length),
    ascii(comment),
  );
}

function localEntry(name: string, data: Bytes, checksum: number): Bytes {
  const padding = ascii("FB\u0003\0ZZZ");
  return concat(
    ascii("PK\u0003\u0004"),
    [0, 0, 8, 8, 0, 0, 0, 0, 0, 0],
    new Uint8Array(12),
    littleEndian(2, name.length),
    littleEndian(2, padding.length),
    ascii(name),
    padding,
    data,
    ascii("PK\u0007\u0008"),
    littleEndian(4, checksum),
    littleEndian(4, data.length),
    littleEndian(4, data.length),
  );
}

function directoryEntry(
  name: string,
  size: number,
  checksum: number,
  offset: number,
  { zip64 = false, method = 0 }: ZipOptions,
): Bytes {
  // Another field comes first, to be passed over.
  const wide = [size, size, offset].map((value) => littleEndian(8, value));
  const extra = zip64 ? concat([9, 9, 2, 0, 7, 7, 1, 0, 24, 0], ...wide) : [];
  return concat(
    ascii("PK\u0001\u0002"),
    [0, 0, 0, 0, 8, 8],
    littleEndian(2, method),
    [0, 0, 0, 0],
    littleEndian(4, checksum),
    littleEndian(4, zip64 ? -1 : size),
    littleEndian(4, zip64 ? -1 : size),
    littleEndian(2, name.length),
    littleEndian(2, extra.length),
    new Uint8Array(10),
    littleEndian(4, zip64 ? -1 : offset),
    ascii(name),
    extra,
  );
}

function endRecord(count: number, size: number, offset: number, zip64: boolean): Bytes {
  return concat(
    ascii("PK\u0005\u0006"),
    [0, 0, 0, 0],
    littleEndian(2, zip64 ? -1 : count),
    littleEndian(2, zip64 ? -1 : count),
    littleEndian(4, zip64 ? -1 : size),
    littleEndian(4, zip64 ? -1 : offset),
  );
}

function endRecords64(count: number, size: number, offset: number): Bytes {
  return concat(
    ascii("PK\u0006\u0006"),
    littleEndian(8, 44),
    new Uint8Array(12),
    ...[count, count, size, offset].map((value) => littleEndian(8, value)),
    ascii("PK\u0006\u0007"),
    new Uint8Array(4),
    littleEndian(8, offset + size),
    littleEndian(4, 1),
  );
}

export interface CheckpointOptions extends ZipOptions {
  /** Default: no such entry, as before PyTorch 2.1. */
  readonly byteOrder?: string;
}

/** A checkpoint in the zip format: the pieces of its pickle, and the bytes of its storages by key. */
export function checkpoint(
  value: Piece,
  storages: Readonly<Record<string, ArrayBufferView>> = {},
  { byteOrder, ...options }: CheckpointOptions = {},
): Bytes {
  const entries: Record<string, Bytes> = { "weights/data.pkl": pickle(value) };
  if (byteOrder !== undefined) entries["weights/byteorder"] = ascii(byteOrder);
  for (const [key, data] of Object.entries(storages))
    entries[`weights/data/${key}`] = bytesOf(data);
  entries["weights/version"] = ascii("3\n");
  return zip(entries, options);
}

/** The same in the legacy layout; `lengths` are in elements. */
export function legacy(
  value: Piece,
  storages: readonly { key: string; length: number; data: ArrayBufferView }[] = [],
): Bytes {
  return concat(
    pickle(long(0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19)),
    pickle(int(1001)),
    pickle(dict({ protocol_version: int(1001), little_endian: bool(true) })),
    pickle(value),
    pickle(list(...storages.map(({ key }) => str(key)))),
    ...storages.flatMap(({ length, data }) => [littleEndian(8, length), bytesOf(data)]),
  );
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Bytes {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
