/**
 * @file Ops record; the recorder encodes and submits many of them at once. A command may name a pipeline that still
 * compiles: then encoding waits, in order, and the caller goes on recording.
 *
 * Order is everything here. Commands take effect in the order of recording, uploads included, so a buffer may be reused
 * while earlier commands that read its old contents are still on their way.
 */
import { LimitError, ValidationError, type WgradError } from "../errors.ts";
import type { DeviceBuffer } from "./buffer-pool.ts";
import type { Pipeline } from "./pipeline-cache.ts";
import type { DispatchTimer } from "./profiler.ts";

export type Grid = readonly [x: number, y: number, z: number];

/** A buffer at a binding, from `byteOffset` to its end. */
export interface BoundBuffer {
  readonly binding: number;
  readonly buffer: DeviceBuffer;
  readonly byteOffset: number;
}

interface Dispatch {
  readonly kind: "dispatch";
  readonly label: string;
  readonly pipeline: Pipeline;
  /** The storage bindings; the uniform, if any, is not among them. */
  readonly resources: readonly BoundBuffer[];
  readonly uniformIndex: number | undefined;
  readonly params: Uint32Array<ArrayBuffer>;
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

/** Bytes of uniforms that one submit may carry; more commands go into the next submit. */
const arenaBytes = 256 * 1024;

/** A long recording is handed over before it is complete, so that the device has work while the host records. */
const commandsPerSubmit = 192;

/** Bind groups are cheap to make again; this only bounds the map. */
const maxBindGroups = 16384;

export class CommandRecorder {
  readonly #gpu: GPUDevice;
  readonly #onError: (error: WgradError, serial: number) => void;
  readonly #arena: GPUBuffer;
  readonly #arenaWords = new Uint32Array(arenaBytes / 4);
  readonly #alignment: number;
  readonly #bindGroups = new Map<string, GPUBindGroup>();
  #commands: Command[] = [];
  #arenaOffset = 0;
  #encoder: GPUCommandEncoder | undefined;
  #pass: GPUComputePassEncoder | undefined;
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
    this.#gpu = gpu;
    this.#onError = onError;
    this.#alignment = gpu.limits.minUniformBufferOffsetAlignment;
    this.#arena = gpu.createBuffer({
      label: "params",
      size: arenaBytes,
      usage: 0x40 /* UNIFORM */ | 0x8 /* COPY_DST */,
    });
  }

  /** Serial of the last recording that `flush` took; they are submitted in this order. */
  get flushed(): number {
    return this.#recording - 1;
  }

  /** True when no recorded but unsubmitted command uses the buffer. */
  isIdle(buffer: DeviceBuffer): boolean {
    return buffer.lastUse <= this.#submitted;
  }

  dispatch(dispatch: Omit<Dispatch, "kind">): void {
    const { maxComputeWorkgroupsPerDimension: limit, maxUniformBufferBindingSize } =
      this.#gpu.limits;
    const mostBytes = Math.min(maxUniformBufferBindingSize, arenaBytes);
    const { grid, label, params } = dispatch;
    if (params.byteLength > mostBytes) {
      throw new LimitError(
        label,
        `struct Params takes ${params.byteLength} bytes, more than a uniform's ${mostBytes}`,
        "Put long lists into a storage buffer",
      );
    }
    if (grid.some((count) => !Number.isInteger(count) || count < 0 || count > limit)) {
      throw new LimitError(
        label,
        `a grid of ${grid.join(" x ")} workgroups does not fit: each axis takes whole numbers up to ${limit}`,
        "Use a smaller batch or image, or a grid that spills into y and z",
      );
    }
    if (grid.includes(0)) return;
    for (const { buffer } of dispatch.resources) buffer.lastUse = this.#recording;
    this.#record({ kind: "dispatch", ...dispatch });
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
    const commands = this.#commands;
    const serial = this.#recording++;
    this.#commands = [];
    const compiling = new Set<Promise<void>>();
    for (const command of commands) {
      if (command.kind === "dispatch" && command.pipeline.compiled === undefined)
        compiling.add(command.pipeline.ready);
    }
    if (compiling.size === 0 && this.#tail === undefined) {
      this.#submit(commands, serial);
      return undefined;
    }
    // No part of this rejects: what goes wrong is reported, so that nobody needs to wait for a flush.
    const tail = Promise.all([this.#tail, ...compiling]).then(() => {
      this.#submit(commands, serial);
      if (this.#tail === tail) this.#tail = undefined;
    });
    this.#tail = tail;
    return tail;
  }

  #record(command: Command): void {
    this.#commands.push(command);
    if (this.#commands.length >= this.commandsPerSubmit) void this.flush();
  }

  #submit(commands: readonly Command[], serial: number): void {
    for (const command of commands) {
      try {
        this.#encode(command, serial);
      } catch (cause) {
        this.#onError(refusedError(command, cause), serial);
      }
    }
    this.#finish();
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

  #encodeDispatch(command: Dispatch): void {
    const { pipeline, params, grid } = command;
    if (pipeline.compiled === undefined) return;
    if (this.#arenaOffset + params.byteLength > arenaBytes) this.#finish();
    const offset = this.#arenaOffset;
    if (params.length > 0) {
      this.#arenaWords.set(params, offset / 4);
      this.#arenaOffset =
        Math.ceil((offset + params.byteLength) / this.#alignment) * this.#alignment;
    }
    const timestampWrites = this.profiler?.begin(command.label);
    if (timestampWrites !== undefined) this.#endPass();
    this.#pass ??= this.#encoderOf().beginComputePass(
      timestampWrites === undefined ? {} : { label: command.label, timestampWrites },
    );
    this.#pass.setPipeline(pipeline.compiled);
    this.#pass.setBindGroup(
      0,
      this.#bindGroupOf(command),
      command.uniformIndex === undefined ? [] : [offset],
    );
    this.#pass.dispatchWorkgroups(...grid);
    this.counts.dispatches++;
    if (timestampWrites !== undefined) this.#endPass();
  }

  #bindGroupOf({ pipeline, resources, uniformIndex, params, label }: Dispatch): GPUBindGroup {
    let key = `${pipeline.layout.id}/${params.byteLength}`;
    for (const { buffer, byteOffset } of resources) key += `/${buffer.id}+${byteOffset}`;
    const known = this.#bindGroups.get(key);
    if (known !== undefined) return known;
    const entries: GPUBindGroupEntry[] = resources.map(({ binding, buffer, byteOffset }) => ({
      binding,
      resource: { buffer: buffer.gpu, offset: byteOffset },
    }));
    if (uniformIndex !== undefined) {
      entries.push({
        binding: uniformIndex,
        resource: { buffer: this.#arena, offset: 0, size: params.byteLength },
      });
    }
    const group = this.#gpu.createBindGroup({ label, layout: pipeline.layout.group, entries });
    if (this.#bindGroups.size >= maxBindGroups) this.#bindGroups.clear();
    this.#bindGroups.set(key, group);
    return group;
  }

  #encoderOf(): GPUCommandEncoder {
    return (this.#encoder ??= this.#gpu.createCommandEncoder());
  }

  #endPass(): void {
    this.#pass?.end();
    this.#pass = undefined;
  }

  /** Submits what is encoded. The uniforms are written just before: the queue runs the write and the submit in order. */
  #finish(): void {
    this.#endPass();
    if (this.#encoder === undefined) return;
    if (this.#arenaOffset > 0)
      this.#gpu.queue.writeBuffer(this.#arena, 0, this.#arenaWords, 0, this.#arenaOffset / 4);
    this.#gpu.queue.submit([this.#encoder.finish()]);
    this.counts.submits++;
    this.#arenaOffset = 0;
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

/** `writeBuffer` takes whole words. */
function padToWords(data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  if (data.byteLength % 4 === 0) return data;
  const padded = new Uint8Array(Math.ceil(data.byteLength / 4) * 4);
  padded.set(data);
  return padded;
}
