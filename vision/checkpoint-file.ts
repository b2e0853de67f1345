/** @file Checkpoints of training runs as files. Node only. */
import { readSafetensors, writeSafetensors } from "../data/node.ts";
import type { Checkpoint, StoredCheckpoint } from "../nn/index.ts";
import { checkpointMetadata, checkpointOf } from "./checkpoint-bytes.ts";

/**
 * Writes a checkpoint as a safetensors file. At any moment there is a complete file, also when the process is killed: the new one takes
 * the place of the old one when all of it is written.
 *
 * ```ts
 * const write = (checkpoint: Checkpoint) => writeCheckpoint("run.safetensors", checkpoint);
 * await learn.fineTune(3, 2e-3, { callbacks: [new Checkpointer({ write, everyBatches: 100 })] });
 * ```
 */
export function writeCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  return writeSafetensors(path, checkpoint.tensors, checkpointMetadata(checkpoint));
}

/**
 * Reads what `writeCheckpoint` wrote: `learn.resume(await readCheckpoint("run.safetensors"))`, then the same fit.
 *
 * @throws ArgumentError when the file is missing, damaged, or no checkpoint.
 */
export async function readCheckpoint(path: string): Promise<StoredCheckpoint> {
  return checkpointOf(`readCheckpoint ${path}`, await readSafetensors(path));
}
