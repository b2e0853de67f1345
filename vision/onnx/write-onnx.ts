/** @file ONNX files. Node only. */
import { randomUUID } from "node:crypto";
import { rename, rm, writeFile } from "node:fs/promises";
import type { Module } from "../../nn/index.ts";
import { encodeOnnx, type OnnxOptions } from "./encode-onnx.ts";

/**
 * Writes a model as an ONNX file; see `encodeOnnx`. It is written under another name and renamed: a reader sees the whole file, or the
 * one that was there before.
 *
 * @throws ArgumentError as `encodeOnnx` does; errors of the file system as they come.
 */
export async function writeOnnx(
  path: string,
  model: Module,
  options: OnnxOptions = {},
): Promise<void> {
  const bytes = await encodeOnnx(model, options);
  const unfinished = `${path}.${randomUUID()}`;
  try {
    await writeFile(unfinished, bytes);
    await rename(unfinished, path);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw error;
  }
}
