/**
 * @file Results from the device to the host, through staging buffers that are reused. The copy is recorded when it is asked
 * for, so later changes of the tensor do not show; the host may do other work until the promise resolves.
 */
import type { DeviceBuffer } from "./buffer-pool.ts";
import type { CommandRecorder } from "./command-recorder.ts";

/** Staging buffers beyond this many of one size are destroyed after use. */
const stagingPerSize = 8;

export class Readback {
  readonly #gpu: GPUDevice;
  readonly #recorder: CommandRecorder;
  readonly #wait: <T>(promise: Promise<T>) => Promise<T>;
  readonly #idle = new Map<number, GPUBuffer[]>();

  constructor(
    gpu: GPUDevice,
    recorder: CommandRecorder,
    wait: <T>(promise: Promise<T>) => Promise<T>,
  ) {
    this.#gpu = gpu;
    this.#recorder = recorder;
    this.#wait = wait;
  }

  /** `byteLength` bytes of `buffer` from `byteOffset` on, as they are after everything recorded so far. */
  read(buffer: DeviceBuffer, byteOffset: number, byteLength: number): Promise<ArrayBuffer> {
    const size = 2 ** Math.max(8, Math.ceil(Math.log2(Math.max(1, byteLength))));
    const staging = this.#idle.get(size)?.pop() ?? this.#create(size);
    this.#recorder.copy(buffer, byteOffset, staging, 0, Math.ceil(byteLength / 4) * 4);
    return this.#map(staging, size, byteLength, this.#recorder.flush());
  }

  async #map(
    staging: GPUBuffer,
    size: number,
    byteLength: number,
    submitted: Promise<void> | undefined,
  ): Promise<ArrayBuffer> {
    if (submitted !== undefined) await submitted;
    await this.#wait(staging.mapAsync(1 /* READ */, 0, Math.max(4, Math.ceil(byteLength / 4) * 4)));
    const bytes = staging
      .getMappedRange(0, Math.max(4, Math.ceil(byteLength / 4) * 4))
      .slice(0, byteLength);
    staging.unmap();
    const idle = this.#idle.get(size) ?? [];
    this.#idle.set(size, idle);
    if (idle.length < stagingPerSize) idle.push(staging);
    else staging.destroy();
    return bytes;
  }

  #create(size: number): GPUBuffer {
    return this.#gpu.createBuffer({
      label: `staging (${size} bytes)`,
      size,
      usage: 0x1 /* MAP_READ */ | 0x8 /* COPY_DST */,
    });
  }
}
