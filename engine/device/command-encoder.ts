/**
 * @file Recordings become passes of WebGPU: as few passes and submits as their order allows. Uniforms go to the device a page at a time,
 * into one buffer, so a page ends a submit.
 */
import { ValidationError, type WgradError } from "../errors.ts";
import type { Command, Dispatch, Recording } from "./commands.ts";
import type { DispatchTimer } from "./profiler.ts";

export class CommandEncoder {
  readonly #gpu: GPUDevice;
  readonly #params: GPUBuffer;
  readonly #onError: (error: WgradError, serial: number) => void;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  /** Set in the current pass. */
  #pipeline: GPUComputePipeline | undefined;
  /** The page of the recording of which the device has a copy. */
  #page: number | undefined;
  /** When set, it is asked for the timestamps of every dispatch; one that has any gets a pass of its own. */
  profiler: DispatchTimer | undefined;
  /** Dispatches and submits since the device was opened. */
  readonly counts = { dispatches: 0, submits: 0 };

  /**
   * @param params the buffer of all uniforms.
   * @param onError told of what cannot be encoded, and of the serial of the recording that it was in.
   */
  constructor(
    gpu: GPUDevice,
    params: GPUBuffer,
    onError: (error: WgradError, serial: number) => void,
  ) {
    this.#gpu = gpu;
    this.#params = params;
    this.#onError = onError;
  }

  /** All pipelines of the recording are compiled, or have failed to. */
  submit(recording: Recording): void {
    for (const command of recording.commands) {
      try {
        this.#encode(command, recording);
      } catch (cause) {
        this.#onError(refusedError(command, cause), recording.serial);
      }
    }
    this.#finish();
    this.#page = undefined;
  }

  #encode(command: Command, recording: Recording): void {
    switch (command.kind) {
      case "dispatch":
        if (command.pipeline.error === undefined) this.#encodeDispatch(command, recording);
        else this.#onError(command.pipeline.error, recording.serial);
        break;
      case "write":
        this.#finish();
        this.#gpu.queue.writeBuffer(command.buffer.gpu, command.byteOffset, command.data);
        break;
      case "copy":
        this.#endPass();
        this.#encoderOf().copyBufferToBuffer(
          command.from.gpu,
          command.fromOffset,
          "gpu" in command.to ? command.to.gpu : command.to,
          command.toOffset,
          command.byteLength,
        );
        break;
      case "clear":
        this.#endPass();
        this.#encoderOf().clearBuffer(command.buffer.gpu, command.byteOffset, command.byteLength);
        break;
    }
  }

  #encodeDispatch({ label, pipeline, group, page, grid }: Dispatch, of: Recording): void {
    if (pipeline.compiled === undefined) return;
    if (page !== this.#page) this.#upload(page, of);
    const timestampWrites = this.profiler?.begin(label);
    if (timestampWrites !== undefined) this.#endPass();
    const pass = (this.#pass ??= this.#encoderOf().beginComputePass(
      timestampWrites === undefined ? {} : { label, timestampWrites },
    ));
    if (pipeline.compiled !== this.#pipeline) pass.setPipeline(pipeline.compiled);
    this.#pipeline = pipeline.compiled;
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    this.counts.dispatches++;
    if (timestampWrites !== undefined) this.#endPass();
  }

  /** Commands that are encoded already read the page before; the queue runs submits and writes in order. */
  #upload(index: number, { pages }: Recording): void {
    if (this.#page !== undefined) this.#finish();
    this.#page = index;
    const page = pages[index];
    if (page === undefined || page.used === 0) return;
    this.#gpu.queue.writeBuffer(this.#params, 0, page.words, 0, page.used);
  }

  #encoderOf(): GPUCommandEncoder {
    return (this.#encoder ??= this.#gpu.createCommandEncoder());
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
    this.#pipeline = undefined;
  }

  /** Submits what is encoded. */
  #finish(): void {
    this.#endPass();
    if (this.#encoder === undefined) return;
    this.#gpu.queue.submit([this.#encoder.finish()]);
    this.counts.submits++;
    this.#encoder = undefined;
  }
}

/** For what WebGPU's binding throws at once instead of reporting it, for example for a negative offset. */
function refusedError(command: Command, cause: unknown): ValidationError {
  const what = command.kind === "dispatch" ? command.label : command.kind;
  return new ValidationError(
    what,
    `WebGPU refused the command: ${cause instanceof Error ? cause.message.trim() : String(cause)}`,
    "Check offsets and sizes of what was recorded",
  );
}
