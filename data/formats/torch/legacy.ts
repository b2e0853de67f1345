/**
 * @file The layout of checkpoints before PyTorch 1.6: five pickles one after another (a magic number, a version, facts about the
 * machine, the object, the keys of its storages), then for each key the number of elements as a 64-bit integer and the elements,
 * little-endian. There are no checksums.
 *
 * Source: `_legacy_save` and `_legacy_load` of torch/serialization.py.
 */
import { ByteCursor } from "./byte-cursor.ts";
import { fail, quote } from "./fail.ts";
import { plainWorld, torchWorld } from "./globals.ts";
import { unpickle } from "./pickle.ts";
import type { TensorCollector } from "./storage.ts";

/** A pickle of protocol 2 that holds 0x1950a86a20f9469cfc6c: the first bytes of every legacy file. */
const magic = [
  0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19, 0x2e,
];
const version = 1001;

export function isLegacy(bytes: Uint8Array): boolean {
  return magic.every((byte, i) => bytes[i] === byte);
}

/** The object; its tensors have their data. */
export function readLegacy(
  bytes: Uint8Array,
  collector: TensorCollector,
  maxBytes: number,
): unknown {
  const cursor = new ByteCursor(bytes, magic.length);
  const found = unpickle(cursor, plainWorld);
  if (found !== version) {
    fail(
      `the legacy format has an unknown version: ${typeof found === "number" ? found : typeof found}`,
      "Load it with PyTorch and save it again",
    );
  }
  unpickle(cursor, plainWorld);
  const value = unpickle(cursor, torchWorld(collector));
  const data = readStorages(cursor, unpickle(cursor, plainWorld), collector);
  collector.read(
    ({ key }) => data.get(key) ?? fail(`the file lacks the storage ${quote(key)}`),
    "little",
    maxBytes,
  );
  return value;
}

function readStorages(
  cursor: ByteCursor,
  keys: unknown,
  collector: TensorCollector,
): Map<string, Uint8Array> {
  if (!Array.isArray(keys)) fail("the keys of the storages are not a list");
  const data = new Map<string, Uint8Array>();
  for (const key of keys as unknown[]) {
    const storage = typeof key === "string" ? collector.storages.get(key) : undefined;
    if (storage === undefined || data.has(storage.key)) {
      fail(`the file has a storage that belongs to no tensor, or one twice: ${quote(String(key))}`);
    }
    const length = cursor.size64();
    if (length !== storage.length) {
      fail(
        `the storage ${quote(storage.key)} has ${length} elements, announced were ${storage.length}`,
      );
    }
    data.set(storage.key, cursor.bytes(storage.byteLength));
  }
  if (cursor.remaining > 0) fail(`${cursor.remaining} bytes follow the last storage`);
  return data;
}
