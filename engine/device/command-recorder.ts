/**
 * @file Ops record; the recorder encodes and submits many of them at once. A command may name a pipeline that still
 * compiles: then encoding waits, in order, and the caller goes on recording.
 *
 * Order is everything here. Commands take effect in the order of recording, uploads included, so a buffer may be reused
 * while earlier commands that read its old contents are still on their way.
 */
import { LimitError, type WgradError } from "../errors.ts";
import { BindGroups, type BoundBuffer } from "./bind-groups.ts";
import type { DeviceBuffer } from "./buffer-pool.ts";
import { Capture } from "./captured-commands.ts";
import { CommandEncoder } from "./command-encoder.ts";
import type { Command, FillParams, Grid, Recording } from "./commands.ts";
import { pageBytes, ParamPages, type ParamPage } from "./param-pages.ts";
import type { Pipeline } from "./pipeline-cache.ts";
import type { DispatchTimer } from "./profiler.ts";

/** A long recording is handed over before it is complete, so that the device has work while the host records. */
const commandsPerSubmit = 192;

export class CommandRecorder {
  readonly #gpu: GPUDevice;
  /** Asking the binding for a limit takes as long as a dispatch. */
  readonly #mostWorkgroups: number;
  readonly #mostParamBytes: number;
  readonly #pages: ParamPages;
  readonly #bindGroups: BindGroups;
  readonly #encoder: CommandEncoder;
  #commands: Command[] = [];
  #tail: Promise<void> | undefined;
  #recording = 1;
  #submitted = 0;
  #capture: Capture | undefined;
  /** A benchmark raises it, so that the device never waits for the host in the middle of what is timed. */
  commandsPerSubmit = commandsPerSubmit;

  /** @param onError told of what cannot be encoded, and of the serial of the recording that it was in. */
  constructor(gpu: GPUDevice, onError: (error: WgradError, serial: number) => void) {
    const { limits } = gpu;
    this.#gpu = gpu;
    this.#mostWorkgroups = limits.maxComputeWorkgroupsPerDimension;
    this.#mostParamBytes = Math.min(limits.maxUniformBufferBindingSize, pageBytes);
    this.#pages = new ParamPages(limits.minUniformBufferOffsetAlignment);
    const params = gpu.createBuffer({
      label: "params",
      size: pageBytes,
      usage: 0x40 /* UNIFORM */ | 0x8 /* COPY_DST */,
    });
    this.#bindGroups = new BindGroups(gpu, params);
    this.#encoder = new CommandEncoder(gpu, params, onError);
  }

  /** Dispatches and submits since the device was opened. */
  get counts(): { readonly dispatches: number; readonly submits: number } {
    return this.#encoder.counts;
  }

  /** When set, it is asked for the timestamps of every dispatch; one that has any gets a pass of its own. */
  get profiler(): DispatchTimer | undefined {
    return this.#encoder.profiler;
  }

  set profiler(timer: DispatchTimer | undefined) {
    this.#encoder.profiler = timer;
  }

  /** True between `beginCapture` and `endCapture`. */
  get isCapturing(): boolean {
    return this.#capture !== undefined;
  }

  /** Serial of the last recording that `flush` took; they are submitted in this order. */
  get flushed(): number {
    return this.#recording - 1;
  }

  /** True when no recorded but unsubmitted command uses the buffer. */
  isIdle(buffer: DeviceBuffer): boolean {
    return buffer.lastUse <= this.#submitted;
  }

  /** Where the next dispatch of `pipeline` finds its `struct Params`: from word `used` of the page on. */
  paramsOf({ label, paramBytes }: Pipeline): ParamPage {
    if (paramBytes > this.#mostParamBytes) {
      throw new LimitError(
        label,
        `struct Params takes ${paramBytes} bytes, more than a uniform's ${this.#mostParamBytes}`,
        "Put long lists into a storage buffer",
      );
    }
    return this.#pages.withRoom(paramBytes / 4);
  }

  /**
   * @param resources of the storage bindings, in the order of the pipeline's layout.
   * @param page that `paramsOf` gave for the pipeline, filled since.
   * @param refill fills it again where a replay needs other numbers; only while capturing.
   */
  dispatch(
    label: string,
    pipeline: Pipeline,
    resources: readonly BoundBuffer[],
    page: ParamPage,
    grid: Grid,
    refill?: FillParams,
  ): void {
    for (const count of grid) {
      if (!(Number.isInteger(count) && count >= 0 && count <= this.#mostWorkgroups))
        throw gridError(label, grid, this.#mostWorkgroups);
    }
    if (grid.includes(0)) return;
    for (const { buffer } of resources) buffer.lastUse = this.#recording;
    const offset = this.#pages.take(page, pipeline.paramBytes / 4);
    const group = this.#bindGroups.get(pipeline.layout, resources, offset, label);
    const { index } = this.#pages;
    // prettier-ignore
    this.#record({ kind: "dispatch", label, pipeline, resources, group, page: index, offset, grid, refill });
  }

  /** Uploads `data` to `buffer`, at once or in its turn. The bytes must not change afterwards. */
  write(buffer: DeviceBuffer, byteOffset: number, data: Uint8Array<ArrayBuffer>): void {
    if (this.isIdle(buffer) && !this.isCapturing) {
      this.#gpu.queue.writeBuffer(buffer.gpu, byteOffset, padToWords(data));
      return;
    }
    buffer.lastUse = this.#recording;
    this.#record({ kind: "write", buffer, byteOffset, data: padToWords(data) });
  }

  copy(
    from: DeviceBuffer,
    fromOffset: number,
    to: DeviceBuffer | GPUBuffer,
    toOffset: number,
    byteLength: number,
  ): void {
    from.lastUse = this.#recording;
    if ("gpu" in to) to.lastUse = this.#recording;
    this.#record({ kind: "copy", from, fromOffset, to, toOffset, byteLength });
  }

  /** Sets `byteLength` bytes (a multiple of 4) from `byteOffset` on to zero. */
  clear(buffer: DeviceBuffer, byteOffset: number, byteLength: number): void {
    buffer.lastUse = this.#recording;
    this.#record({ kind: "clear", buffer, byteOffset, byteLength });
  }

  /** Takes down everything that is recorded from now on. Commands before are handed over first. */
  beginCapture(): void {
    void this.flush();
    this.#capture = new Capture();
  }

  /** What was recorded since `beginCapture`; it is handed over as usual. */
  endCapture(): Capture {
    void this.flush();
    const capture = this.#capture ?? new Capture();
    this.#capture = undefined;
    return capture;
  }

  /** Hands captured commands over once more, on the same buffers. Uniforms that differ are filled again. */
  replay({ recordings, buffers }: Capture): void {
    for (const { commands, pages, refilled } of recordings) {
      void this.flush();
      const own = this.#pages.fill(pages);
      for (const { page, offset, refill } of refilled) {
        const { words, floats } = own[page] ?? noPage;
        refill?.({ words, floats, used: offset / 4 });
      }
      this.#commands = [...commands];
    }
    for (const buffer of buffers.keys()) buffer.lastUse = this.#recording;
    void this.flush();
  }

  /** Forgets bind groups, because buffers that they name were destroyed. */
  forgetBindGroups(): void {
    this.#bindGroups.clear();
  }

  /**
   * Hands everything recorded so far to the device. Returns a promise only while pipelines still compile; it resolves
   * when the commands were submitted. Errors go to `onError`.
   */
  flush(): Promise<void> | undefined {
    if (this.#commands.length === 0) return this.#tail;
    const recording = this.#endRecording();
    const compiling = new Set<Promise<void>>();
    for (const command of recording.commands) {
      if (command.kind === "dispatch" && command.pipeline.compiled === undefined)
        compiling.add(command.pipeline.ready);
    }
    if (compiling.size === 0 && this.#tail === undefined) {
      this.#submit(recording);
      return undefined;
    }
    // No part of this rejects: what goes wrong is reported, so that nobody needs to wait for a flush.
    const tail = Promise.all([this.#tail, ...compiling]).then(() => {
      this.#submit(recording);
      if (this.#tail === tail) this.#tail = undefined;
    });
    this.#tail = tail;
    return tail;
  }

  #endRecording(): Recording {
    const commands = this.#commands;
    this.#commands = [];
    const recording = { serial: this.#recording++, commands, pages: this.#pages.endRecording() };
    this.#capture?.add(recording);
    return recording;
  }

  #record(command: Command): void {
    this.#capture?.note(command);
    this.#commands.push(command);
    if (this.#commands.length >= this.commandsPerSubmit) void this.flush();
  }

  #submit(recording: Recording): void {
    this.#encoder.submit(recording);
    this.#pages.giveBack(recording.pages);
    this.#submitted = recording.serial;
  }
}

const noPage = { words: new Uint32Array(), floats: new Float32Array() };

function gridError(label: string, grid: Grid, most: number): LimitError {
  return new LimitError(
    label,
    `a grid of ${grid.join(" x ")} workgroups does not fit: each axis takes whole numbers up to ${most}`,
    "Use a smaller batch or image, or a grid that spills into y and z",
  );
}

/** `writeBuffer` takes whole words. */
function padToWords(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (data.byteLength % 4 === 0) return data;
  const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
  padded.set(data);
  return padded;
}
