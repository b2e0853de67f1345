/**
 * @file Checkpoints of PyTorch (`.pth`, `.pt`), the zip format since 1.6 and the one before, without PyTorch and without running
 * what a file asks for.
 *
 * Source: torch/serialization.py and caffe2/serialize/inline_container.h of PyTorch.
 */
import type { ByteOrder } from "../byte-order.ts";
import type { SafetensorsEntry } from "../safetensors.ts";
import { ByteCursor } from "./byte-cursor.ts";
import { fail, quote } from "./fail.ts";
import { torchWorld } from "./globals.ts";
import { isLegacy, readLegacy } from "./legacy.ts";
import { unpickle } from "./pickle.ts";
import { TensorCollector } from "./storage.ts";
import { ZipArchive } from "./zip.ts";

/** A tensor of a checkpoint on the host: F64, F32, F16, BF16, I64, I32, I16, I8, U8 or BOOL, row-major, in memory of its own. */
export type TorchTensor = SafetensorsEntry;

/** A dict; the keys are in the order of the file. */
export type TorchDict = ReadonlyMap<string | number | boolean, TorchValue>;

/**
 * What a checkpoint holds. `None` is null, lists and tuples are arrays, integers beyond 2^53 are bigints; a `torch.dtype` or
 * `torch.device` is its name, `"torch.float32"` or `"cuda:0"`; a `Parameter` is its tensor.
 */
export type TorchValue =
  null | boolean | number | bigint | string | TorchTensor | readonly TorchValue[] | TorchDict;

export interface TorchFile {
  /** What was given to `torch.save`. `torchStateDict` picks the weights out of it. */
  readonly value: TorchValue;
  /** `"zip"` since PyTorch 1.6. Only that one has checksums. */
  readonly format: "zip" | "legacy";
}

export interface TorchOptions {
  /**
   * Bytes that all tensors together may take. A tensor may repeat the elements of its storage, so a small file could ask for any
   * amount. Default: 8 times the file and 16 MiB.
   */
  readonly maxBytes?: number;
}

/**
 * Reads a checkpoint that lies in memory: what `torch.save` wrote, in the zip format or the legacy one. Nothing that the file says is
 * run: it may use tensors, Parameters, dicts, lists, strings, numbers, bools, None, sizes, devices and element types; a
 * file that asks for anything else is refused with its name. All data are copied, so that the file's bytes can be dropped.
 * The attributes of dicts (`_metadata`), `requires_grad` and the device of tensors are not kept.
 *
 * @throws ArgumentError when the bytes are no checkpoint or damaged, when a checksum does not match, when the file asks for what is
 * not on the list, holds itself or is nested over 200 levels deep, and when its tensors would take over `maxBytes`.
 */
export function decodeTorch(bytes: Uint8Array, options: TorchOptions = {}): TorchFile {
  const { maxBytes = 8 * bytes.length + 2 ** 24 } = options;
  if (Number.isNaN(maxBytes) || maxBytes < 0)
    fail(`maxBytes is no size: ${maxBytes}`, "Pass a number of bytes");
  const collector = new TensorCollector();
  if (isZip(bytes))
    return { value: plain(readZip(bytes, collector, maxBytes), collector), format: "zip" };
  if (!isLegacy(bytes)) failUnknown(bytes);
  return { value: plain(readLegacy(bytes, collector, maxBytes), collector), format: "legacy" };
}

/** Whether the bytes begin as a checkpoint does, one of the tar format that is not read included. */
export function isTorch(bytes: Uint8Array): boolean {
  return isZip(bytes) || isLegacy(bytes) || isTar(bytes);
}

function isTar(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(257, 262)) === "ustar";
}

function isZip(bytes: Uint8Array): boolean {
  return [0x50, 0x4b, 0x03, 0x04].every((byte, i) => bytes[i] === byte);
}

function failUnknown(bytes: Uint8Array): never {
  const start = Array.from(bytes.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0"));
  const tar = isTar(bytes);
  return fail(
    tar
      ? "the file is a tar archive, the format of PyTorch before 0.1.10, which is not read"
      : `the file is no PyTorch checkpoint: ${bytes.length} bytes, ` +
          (start.length === 0 ? "nothing" : `beginning with ${start.join(" ")}`),
    tar ? "Load it with PyTorch and save it again" : "Pass what torch.save wrote, whole",
  );
}

/** Entries lie in a folder that bears the name of the file as it was saved: `X/data.pkl`, `X/data/0`, `X/byteorder`. */
function readZip(bytes: Uint8Array, collector: TensorCollector, maxBytes: number): unknown {
  const archive = new ZipArchive(bytes);
  const pickles = [...archive.names()].filter((name) => /^[^/]*\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (pickle === undefined || pickles.length > 1) {
    fail(
      `the archive has ${pickles.length} entries data.pkl, a checkpoint has one`,
      "Pass what torch.save wrote",
    );
  }
  const folder = pickle.slice(0, -"data.pkl".length);
  const cursor = new ByteCursor(archive.read(pickle));
  const value = unpickle(cursor, torchWorld(collector));
  if (cursor.remaining > 0) fail(`${cursor.remaining} bytes follow the pickle`);
  const order = readByteOrder(archive, `${folder}byteorder`);
  collector.read(({ key }) => archive.read(`${folder}data/${key}`), order, maxBytes);
  return value;
}

/** Files from before PyTorch 2.1 lack the entry; they were little-endian in practice. */
function readByteOrder(archive: ZipArchive, name: string): ByteOrder {
  if (!archive.has(name)) return "little";
  const data = archive.read(name);
  const order = new ByteCursor(data).text(data.length);
  return order === "little" || order === "big"
    ? order
    : fail(`the byte order is unknown: ${quote(order)}`);
}

/** Deeper values would overflow the stack of whoever walks through them. */
const deepest = 200;

/** The value, once it is sure that only tensors and plain values are in it and that it does not hold itself. */
function plain(value: unknown, collector: TensorCollector): TorchValue {
  const open = new Set<object>();
  const done = new Set<object>();
  const visit = (part: unknown, depth: number): void => {
    if (typeof part !== "object" || part === null || collector.isTensor(part) || done.has(part))
      return;
    if (open.has(part)) fail("a list or dict of the file holds itself");
    if (depth > deepest) fail(`the file is nested over ${deepest} levels deep`);
    open.add(part);
    for (const child of childrenOf(part)) visit(child, depth + 1);
    open.delete(part);
    done.add(part);
  };
  visit(value, 0);
  return value as TorchValue;
}

function childrenOf(part: object): Iterable<unknown> {
  if (part instanceof Map) return part.values();
  if (Array.isArray(part)) return part as unknown[];
  return fail(
    "the file holds a class, a function or a storage as a value",
    "Save weights alone: torch.save(model.state_dict(), path)",
  );
}
