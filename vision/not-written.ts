/** @file The error of what cannot be written. Node only. */
import { stat } from "node:fs/promises";
import { ArgumentError } from "../engine/index.ts";

/** Names the path, and says whether something of the other kind has its name. */
export async function notWritten(
  op: string,
  path: string,
  wanted: "file" | "folder",
  error: unknown,
): Promise<ArgumentError> {
  const other = wanted === "file" ? "folder" : "file";
  const present = await stat(path).catch(() => undefined);
  const isOther = wanted === "file" ? present?.isDirectory() : present?.isFile();
  if (isOther === true) {
    return new ArgumentError(
      op,
      `the model cannot be written, there is a ${other} of this name: ${path}`,
      wanted === "file" ? 'Pass the path of a file: "model.onnx"' : "Pass the path of a folder",
    );
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new ArgumentError(
    op,
    `the model cannot be written to ${path}: ${reason}`,
    "Check the path, who may write there, and the space on the disk",
  );
}
