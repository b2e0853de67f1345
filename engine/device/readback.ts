/**
 * @file Results from the device to the host, through staging buffers; small ones are reused. The copy is recorded when it is
 * asked for, so later changes of the tensor do not show; the host may do other work until the promise resolves.
 */
import type { DeviceBuffer } from "./buffer-pool.ts";
import type { CommandRecorder } from "./command-recorder.ts";

/** Staging buffers beyond this many of one size are destroyed after use, */
const stagingPerSize = 8;
/** and so are those of more bytes, which would hold memory that `device.memory()` does not show. */
const mostReusedBytes = 2 ** 20;

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
    const padded = Math.ceil(byteLength / 4) * 4;
    const staging = this.#take(padded);
    this.#recorder.copy(buffer, byteOffset, staging, 0, padded);
    return this.#map(staging, byteLength, this.#recorder.flush());
  }

  async #map(
    staging: GPUBuffer,
    byteLength: number,
    submitted: Promise<void> | undefined,
  ): Promise<ArrayBuffer> {
    if (submitted !== undefined) await submitted;
    await this.#wait(staging.mapAsync(1 /* READ */));
    const bytes = staging.getMappedRange().slice(0, byteLength);
    staging.unmap();
    this.#putBack(staging);
    return bytes;
  }

  #putBack(staging: GPUBuffer): void {
    const idle = this.#idle.get(staging.size) ?? [];
    if (staging.size > mostReusedBytes || idle.length >= stagingPerSize) {
      staging.destroy();
      return;
    }
    idle.push(staging);
    this.#idle.set(staging.size, idle);
  }

  #take(bytes: number): GPUBuffer {
    const power = 2 ** Math.max(8, Math.ceil(Math.log2(Math.max(1, bytes))));
    const size = power <= mostReusedBytes ? power : bytes;
    const idle = this.#idle.get(size)?.pop();
    if (idle !== undefined) return idle;
    return this.#gpu.createBuffer({
      label: `staging (${size} bytes)`,
      size,
      usage: 0x1 /* MAP_READ */ | 0x8 /* COPY_DST */,
    });
  }
}
