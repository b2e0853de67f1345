/** @file ONNX files. Node only. */
import { randomUUID } from "node:crypto";
import { mkdir, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import type { Module } from "../../nn/index.ts";
import { notWritten } from "../not-written.ts";
import { encodeOnnx, type OnnxOptions } from "./encode-onnx.ts";

/**
 * Writes a model as an ONNX file; see `encodeOnnx`. Its folder is made if it is missing. It is written under another name and renamed: a
 * reader sees the whole file, or the one that was there before.
 *
 * @throws ArgumentError as `encodeOnnx` does, and when the file cannot be written, for example because there is a folder of this name.
 */
export async function writeOnnx(
  path: string,
  model: Module,
  options: OnnxOptions = {},
): Promise<void> {
  const bytes = await encodeOnnx(model, options);
  const unfinished = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(unfinished, bytes);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true }).catch(() => undefined);
    throw await notWritten("writeOnnx", path, "file", error);
  }
}
