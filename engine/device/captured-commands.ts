/** @file Recordings that were taken down to be submitted again: the same commands on the same buffers. */
import type { DeviceBuffer } from "./buffer-pool.ts";
import { buffersOf, type Command, type Dispatch, type Recording } from "./commands.ts";

/** One submit of what was captured. */
export interface CapturedRecording {
  readonly commands: readonly Command[];
  /** The uniforms, a copy for each page. */
  readonly pages: readonly Uint32Array[];
  /** Dispatches whose uniforms differ from one replay to the next. */
  readonly refilled: readonly Dispatch[];
}

/** Collects recordings as they are handed to the device. */
export class Capture {
  readonly recordings: CapturedRecording[] = [];
  /** All buffers that the commands use, with the number of tensors' lives that each had seen before. */
  readonly buffers = new Map<DeviceBuffer, number>();

  add({ commands, pages }: Recording): void {
    this.recordings.push({
      commands,
      pages: pages.map(({ words, used }) => words.slice(0, used)),
      refilled: commands.filter(
        (command): command is Dispatch =>
          command.kind === "dispatch" && command.refill !== undefined,
      ),
    });
  }

  /** Something was copied to the host. */
  reads = false;

  /** Before the command takes effect, so that the first use of each buffer counts. */
  note(command: Command): void {
    if (command.kind === "copy" && !("gpu" in command.to)) this.reads = true;
    for (const buffer of buffersOf(command)) {
      if (!this.buffers.has(buffer)) this.buffers.set(buffer, buffer.lives);
    }
  }
}
