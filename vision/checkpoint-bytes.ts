/** @file Checkpoints of training runs as bytes: safetensors, with all that is no tensor in the metadata. */
import { decodeSafetensors, encodeSafetensors, type SafetensorsFile } from "../data/index.ts";
import { ArgumentError } from "../engine/index.ts";
import type { Checkpoint, CheckpointProgress, StoredCheckpoint } from "../nn/index.ts";

/** Under this name the metadata hold what is no tensor. */
const progressKey = "progress";

/** A checkpoint as the bytes of a safetensors file, to be kept anywhere. In Node, `writeCheckpoint` writes them to a file. */
export function encodeCheckpoint(checkpoint: Checkpoint): Uint8Array<ArrayBuffer> {
  return encodeSafetensors(checkpoint.tensors, checkpointMetadata(checkpoint));
}

/**
 * What `encodeCheckpoint` encoded: `learner.resume(decodeCheckpoint(bytes))`, then the same fit.
 *
 * @throws ArgumentError when the bytes are damaged, or no checkpoint.
 */
export function decodeCheckpoint(bytes: Uint8Array<ArrayBuffer>): StoredCheckpoint {
  return checkpointOf("decodeCheckpoint", decodeSafetensors(bytes));
}

/** What the metadata of the file say. */
export function checkpointMetadata({ progress }: Checkpoint): Record<string, string> {
  return { [progressKey]: JSON.stringify(progress) };
}

/** The checkpoint in a file. Throws `ArgumentError` when it is none. */
export function checkpointOf(op: string, { tensors, metadata }: SafetensorsFile): StoredCheckpoint {
  const text = metadata.get(progressKey);
  if (text === undefined) {
    throw new ArgumentError(
      op,
      `there are ${tensors.size} tensors, but no progress of a training run`,
      "Pass what was written by a Checkpointer; weights alone are read by readSafetensors",
    );
  }
  return { tensors, progress: JSON.parse(text) as CheckpointProgress };
}
