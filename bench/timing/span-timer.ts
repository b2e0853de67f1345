/**
 * @file GPU time from the begin of the first dispatch to the end of the last one, by two timestamps. Fewer would not do, and more
 * would cost time of their own: every timestamp ends a compute pass.
 */
import type { Device } from "../../engine/index.ts";

/** Usages and modes of WebGPU by number, since Node has no global constants. */
const usage = { queryResolve: 0x200, copySource: 0x4, copyTarget: 0x8, mapRead: 0x1 };
const mapModeRead = 1;

/** Two timestamps around a known number of dispatches; set it as `device.recorder.profiler`. */
export class SpanTimer {
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
   * @throws Error when there were other than the expected number of dispatches, because then the span means something else.
   */
  async read(): Promise<readonly [begin: bigint, end: bigint]> {
    if (this.#seen !== this.#last) {
      throw new Error(
        `benchmark: the number of dispatches changed from run to run: ${this.#seen} instead of ${this.#last}`,
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

/** Runs `body`, whose dispatches the timer was told of, and returns its span in nanoseconds and its wall time in milliseconds. */
export async function timeSpan(
  device: Device,
  timer: SpanTimer,
  body: () => void,
): Promise<{ readonly begin: bigint; readonly end: bigint; readonly wallMs: number }> {
  const { recorder } = device;
  // One submit, if the device allows: then it never waits for the host in the middle of the span.
  const { commandsPerSubmit } = recorder;
  await device.synchronize();
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
  const [begin, end] = await timer.read();
  return { begin, end, wallMs };
}
