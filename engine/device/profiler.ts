/**
 * @file GPU time of each dispatch by timestamp queries: the recorder gives every dispatch a pass of its own and asks here
 * where to write. Readers: `engine/profile.ts`, which turns the spans into a table or a trace.
 */
import { DeviceError } from "../errors.ts";

/** One dispatch on the device's clock, in nanoseconds. */
export interface DispatchSpan {
  readonly label: string;
  readonly begin: bigint;
  readonly end: bigint;
}

/** Says where a dispatch writes its times; undefined for nowhere. */
export interface DispatchTimer {
  begin(label: string): GPUComputePassTimestampWrites | undefined;
}

/** WebGPU's limit for one query set. */
const queriesPerSet = 4096;

interface QueryBlock {
  readonly set: GPUQuerySet;
  readonly labels: string[];
}

export class Profiler implements DispatchTimer {
  readonly #gpu: GPUDevice;
  readonly #blocks: QueryBlock[] = [];

  constructor(gpu: GPUDevice) {
    if (!gpu.features.has("timestamp-query")) {
      throw new DeviceError(
        "profile",
        "the adapter has no timestamp queries: the feature timestamp-query is missing",
        "Start Chrome with --enable-webgpu-developer-features, or measure wall time",
      );
    }
    this.#gpu = gpu;
  }

  /** Where the next dispatch writes its times. */
  begin(label: string): GPUComputePassTimestampWrites {
    let block = this.#blocks.at(-1);
    if (block === undefined || block.labels.length * 2 === queriesPerSet) {
      block = {
        set: this.#gpu.createQuerySet({
          label: "profiler",
          type: "timestamp",
          count: queriesPerSet,
        }),
        labels: [],
      };
      this.#blocks.push(block);
    }
    const index = block.labels.push(label) - 1;
    return {
      querySet: block.set,
      beginningOfPassWriteIndex: 2 * index,
      endOfPassWriteIndex: 2 * index + 1,
    };
  }

  /** Reads all times and frees the queries. Call it when every profiled dispatch was submitted. */
  async collect(wait: <T>(promise: Promise<T>) => Promise<T>): Promise<DispatchSpan[]> {
    const spans: DispatchSpan[] = [];
    for (const { set, labels } of this.#blocks) {
      const byteLength = labels.length * 16;
      const resolved = this.#gpu.createBuffer({
        label: "profiler resolve",
        size: byteLength,
        usage: 0x200 | 0x4,
      });
      const staging = this.#gpu.createBuffer({
        label: "profiler staging",
        size: byteLength,
        usage: 0x1 | 0x8,
      });
      const encoder = this.#gpu.createCommandEncoder();
      encoder.resolveQuerySet(set, 0, labels.length * 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, staging, 0, byteLength);
      this.#gpu.queue.submit([encoder.finish()]);
      await wait(staging.mapAsync(1));
      const times = new BigUint64Array(staging.getMappedRange().slice(0));
      labels.forEach((label, i) =>
        spans.push({ label, begin: times[2 * i] ?? 0n, end: times[2 * i + 1] ?? 0n }),
      );
      for (const resource of [set, resolved, staging]) resource.destroy();
    }
    this.#blocks.length = 0;
    return spans;
  }
}
