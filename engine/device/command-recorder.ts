/**
 * @file Ops record; the recorder encodes and submits many of them at once. A command may name a pipeline that still
 * compiles: then encoding waits, in order, and the caller goes on recording.
 *
 * Order is everything here. Commands take effect in the order of recording, uploads included, so a buffer may be reused
 * while earlier commands that read its old contents are still on their way.
 */
import { LimitError, ValidationError, type WgradError } from "../errors.ts";
import { BindGroups, type BoundBuffer } from "./bind-groups.ts";
import type { DeviceBuffer } from "./buffer-pool.ts";
import { pageBytes, ParamPages, type ParamPage } from "./param-pages.ts";
import type { Pipeline } from "./pipeline-cache.ts";
import type { DispatchTimer } from "./profiler.ts";

export type Grid = readonly [x: number, y: number, z: number];

interface Dispatch {
  readonly kind: "dispatch";
  readonly label: string;
  readonly pipeline: Pipeline;
  readonly group: GPUBindGroup;
  readonly page: ParamPage;
  /** Where `struct Params` begins in the page, in bytes. */
  readonly offset: number;
  readonly grid: Grid;
}

interface Write {
  readonly kind: "write";
  readonly buffer: DeviceBuffer;
  readonly byteOffset: number;
  readonly data: Uint8Array<ArrayBuffer>;
}

interface Copy {
  readonly kind: "copy";
  readonly from: GPUBuffer;
  readonly fromOffset: number;
  readonly to: GPUBuffer;
  readonly toOffset: number;
  readonly byteLength: number;
}

interface Clear {
  readonly kind: "clear";
  readonly buffer: GPUBuffer;
  readonly byteOffset: number;
  readonly byteLength: number;
}

export type Command = Dispatch | Write | Copy | Clear;

/** A long recording is handed over before it is complete, so that the device has work while the host records. */
const commandsPerSubmit = 192;

/** What `flush` hands over. */
interface Recording {
  readonly serial: number;
  readonly commands: readonly Command[];
  readonly pages: readonly ParamPage[];
}

export class CommandRecorder {
  readonly #gpu: GPUDevice;
  readonly #onError: (error: WgradError, serial: number) => void;
  /** Asking the binding for a limit takes as long as a dispatch. */
  readonly #mostWorkgroups: number;
  readonly #mostParamBytes: number;
  readonly #params: GPUBuffer;
  readonly #pages: ParamPages;
  readonly #bindGroups: BindGroups;
  /** An array, because the binding takes longer for a Uint32Array. */
  readonly #dynamicOffsets = [0];
  #commands: Command[] = [];
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
  /** Set in the current pass. */
  #pipeline: GPUComputePipeline | undefined;
  /** Of which the device has a copy. */
  #page: ParamPage | undefined;
  #tail: Promise<void> | undefined;
  #recording = 1;
  #submitted = 0;
  /** When set, it is asked for the timestamps of every dispatch; one that has any gets a pass of its own. */
  profiler: DispatchTimer | undefined;
  /** A benchmark raises it, so that the device never waits for the host in the middle of what is timed. */
  commandsPerSubmit = commandsPerSubmit;
  /** Dispatches and submits since the device was opened. */
  readonly counts = { dispatches: 0, submits: 0 };

  /** @param onError told of what cannot be encoded, and of the serial of the recording that it was in. */
  constructor(gpu: GPUDevice, onError: (error: WgradError, serial: number) => void) {
    const { limits } = gpu;
    this.#gpu = gpu;
    this.#onError = onError;
    this.#mostWorkgroups = limits.maxComputeWorkgroupsPerDimension;
    this.#mostParamBytes = Math.min(limits.maxUniformBufferBindingSize, pageBytes);
    this.#pages = new ParamPages(limits.minUniformBufferOffsetAlignment);
    this.#params = gpu.createBuffer({
      label: "params",
      size: pageBytes,
      usage: 0x40 /* UNIFORM */ | 0x8 /* COPY_DST */,
    });
    this.#bindGroups = new BindGroups(gpu, this.#params);
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
   */
  dispatch(
    label: string,
    pipeline: Pipeline,
    resources: readonly BoundBuffer[],
    page: ParamPage,
    grid: Grid,
  ): void {
    for (const count of grid) {
      if (!(Number.isInteger(count) && count >= 0 && count <= this.#mostWorkgroups))
        throw gridError(label, grid, this.#mostWorkgroups);
    }
    if (grid.includes(0)) return;
    for (const { buffer } of resources) buffer.lastUse = this.#recording;
    const group = this.#bindGroups.get(pipeline.layout, resources, label);
    const offset = this.#pages.take(page, pipeline.paramBytes / 4);
    this.#record({ kind: "dispatch", label, pipeline, group, page, offset, grid });
  }

  /** Uploads `data` to `buffer`, at once or in its turn. The bytes must not change afterwards. */
  write(buffer: DeviceBuffer, byteOffset: number, data: Uint8Array<ArrayBuffer>): void {
    if (this.isIdle(buffer)) {
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
    const target = "gpu" in to ? to.gpu : to;
    if ("gpu" in to) to.lastUse = this.#recording;
    this.#record({ kind: "copy", from: from.gpu, fromOffset, to: target, toOffset, byteLength });
  }

  /** Sets `byteLength` bytes (a multiple of 4) from `byteOffset` on to zero. */
  clear(buffer: DeviceBuffer, byteOffset: number, byteLength: number): void {
    buffer.lastUse = this.#recording;
    this.#record({ kind: "clear", buffer: buffer.gpu, byteOffset, byteLength });
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
    return { serial: this.#recording++, commands, pages: this.#pages.endRecording() };
  }

  #record(command: Command): void {
    this.#commands.push(command);
    if (this.#commands.length >= this.commandsPerSubmit) void this.flush();
  }

  #submit({ serial, commands, pages }: Recording): void {
    for (const command of commands) {
      try {
        this.#encode(command, serial);
      } catch (cause) {
        this.#onError(refusedError(command, cause), serial);
      }
    }
    this.#finish();
    this.#pages.giveBack(pages);
    this.#page = undefined;
    this.#submitted = serial;
  }

  #encode(command: Command, serial: number): void {
    switch (command.kind) {
      case "dispatch":
        if (command.pipeline.error === undefined) this.#encodeDispatch(command);
        else this.#onError(command.pipeline.error, serial);
        break;
      case "write":
        this.#finish();
        this.#gpu.queue.writeBuffer(command.buffer.gpu, command.byteOffset, command.data);
        break;
      case "copy":
        this.#endPass();
        this.#encoderOf().copyBufferToBuffer(
          command.from,
          command.fromOffset,
          command.to,
          command.toOffset,
          command.byteLength,
        );
        break;
      case "clear":
        this.#endPass();
        this.#encoderOf().clearBuffer(command.buffer, command.byteOffset, command.byteLength);
        break;
    }
  }

  #encodeDispatch({ label, pipeline, group, page, offset, grid }: Dispatch): void {
    if (pipeline.compiled === undefined) return;
    if (page !== this.#page) this.#upload(page);
    const timestampWrites = this.profiler?.begin(label);
    if (timestampWrites !== undefined) this.#endPass();
    const pass = (this.#pass ??= this.#encoderOf().beginComputePass(
      timestampWrites === undefined ? {} : { label, timestampWrites },
    ));
    if (pipeline.compiled !== this.#pipeline) pass.setPipeline(pipeline.compiled);
    this.#pipeline = pipeline.compiled;
    this.#dynamicOffsets[0] = offset;
    if (pipeline.layout.uniform === undefined) pass.setBindGroup(0, group);
    else pass.setBindGroup(0, group, this.#dynamicOffsets);
    pass.dispatchWorkgroups(grid[0], grid[1], grid[2]);
    this.counts.dispatches++;
    if (timestampWrites !== undefined) this.#endPass();
  }

  /** Commands that are encoded already read the page before; the queue runs submits and writes in order. */
  #upload(page: ParamPage): void {
    if (this.#page !== undefined) this.#finish();
    this.#page = page;
    if (page.used > 0) this.#gpu.queue.writeBuffer(this.#params, 0, page.words, 0, page.used);
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

function gridError(label: string, grid: Grid, most: number): LimitError {
  return new LimitError(
    label,
    `a grid of ${grid.join(" x ")} workgroups does not fit: each axis takes whole numbers up to ${most}`,
    "Use a smaller batch or image, or a grid that spills into y and z",
  );
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

/** `writeBuffer` takes whole words. */
function padToWords(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (data.byteLength % 4 === 0) return data;
  const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
  padded.set(data);
  return padded;
}
