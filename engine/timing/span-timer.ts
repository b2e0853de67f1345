/**
 * @file GPU time from the begin of the first dispatch to the end of the last one, by two timestamps. Fewer would not do, and more
 * would cost time of their own: every timestamp ends a compute pass.
 */
import type { Device } from "../device/device.ts";
import type { DispatchTimer } from "../device/profiler.ts";
import { DeviceError } from "../errors.ts";

/** Usages and modes of WebGPU by number, since Node has no global constants. */
const usage = { queryResolve: 0x200, copySource: 0x4, copyTarget: 0x8, mapRead: 0x1 };
const mapModeRead = 1;

/** One measured span. */
export interface Span {
  /** Nanoseconds on the device's clock; both 0 without timestamps. */
  readonly begin: bigint;
  readonly end: bigint;
  /** Milliseconds of GPU time; without timestamps the wall time. */
  readonly gpuMs: number;
  /** Milliseconds from the first call on the host until the device had finished. */
  readonly wallMs: number;
}

/** Two timestamps around a known number of dispatches; it is the recorder's `profiler` meanwhile. */
export class SpanTimer implements DispatchTimer {
  readonly #device: Device;
  readonly #queries: GPUQuerySet;
  readonly #resolved: GPUBuffer;
  readonly #staging: GPUBuffer;
  #seen = 0;
  #last = 0;

  constructor(device: Device) {
    const { gpu } = device;
    this.#device = device;
    this.#queries = gpu.createQuerySet({ label: "span", type: "timestamp", count: 2 });
    const size = 16;
    this.#resolved = gpu.createBuffer({ size, usage: usage.queryResolve | usage.copySource });
    this.#staging = gpu.createBuffer({ size, usage: usage.copyTarget | usage.mapRead });
  }

  /** Timestamps go around the next `dispatches`. */
  expect(dispatches: number): void {
    this.#seen = 0;
    this.#last = dispatches;
  }

  /** Called by the recorder for each dispatch. */
  begin(): GPUComputePassTimestampWrites | undefined {
    const querySet = this.#queries;
    const first = this.#seen === 0;
    this.#seen++;
    const last = this.#seen === this.#last;
    if (first && last) {
      return { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
    }
    if (first) return { querySet, beginningOfPassWriteIndex: 0 };
    return last ? { querySet, endOfPassWriteIndex: 1 } : undefined;
  }

  /**
   * The two timestamps in nanoseconds, after the dispatches were submitted.
   * @throws DeviceError when there were other than the expected number of dispatches: then the span means something else.
   */
  async read(): Promise<readonly [begin: bigint, end: bigint]> {
    if (this.#seen !== this.#last) {
      throw new DeviceError(
        "measure",
        `the number of dispatches changed from run to run: ${this.#seen} instead of ${this.#last}`,
        "Measure work that is the same every time",
      );
    }
    const { gpu } = this.#device;
    const encoder = gpu.createCommandEncoder();
    encoder.resolveQuerySet(this.#queries, 0, 2, this.#resolved, 0);
    encoder.copyBufferToBuffer(this.#resolved, 0, this.#staging, 0, 16);
    gpu.queue.submit([encoder.finish()]);
    await this.#device.wait(this.#staging.mapAsync(mapModeRead));
    const [begin = 0n, end = 0n] = new BigUint64Array(this.#staging.getMappedRange().slice(0));
    this.#staging.unmap();
    return [begin, end];
  }

  destroy(): void {
    for (const resource of [this.#queries, this.#resolved, this.#staging]) resource.destroy();
  }
}

/** A timer, or undefined where the device has no timestamps and wall time must do. */
export function openTimer(device: Device): SpanTimer | undefined {
  return device.has("timestamp-query") ? new SpanTimer(device) : undefined;
}

/** Runs `body`, which records exactly `dispatches`, and waits until the device has finished. */
export async function timeSpan(
  device: Device,
  timer: SpanTimer | undefined,
  dispatches: number,
  body: () => void,
): Promise<Span> {
  const { recorder } = device;
  const { commandsPerSubmit } = recorder;
  await device.synchronize();
  timer?.expect(dispatches);
  // One submit, if the device allows: then it never waits for the host in the middle of the span.
  recorder.commandsPerSubmit = Infinity;
  recorder.profiler = timer;
  const start = performance.now();
  try {
    body();
    await device.synchronize();
  } finally {
    recorder.profiler = undefined;
    recorder.commandsPerSubmit = commandsPerSubmit;
  }
  const wallMs = performance.now() - start;
  if (timer === undefined) return { begin: 0n, end: 0n, gpuMs: wallMs, wallMs };
  const [begin, end] = await timer.read();
  return { begin, end, gpuMs: Number(end - begin) / 1e6, wallMs };
}
