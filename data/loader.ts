/** @file DataLoader: batches of a dataset, shuffled by a seed, as tensors on the device. */
import { ArgumentError, keep, tensor, type Device, type Tensor } from "../engine/index.ts";
import type { Dataset, HostBatch } from "./dataset.ts";
import { ContentHash, describeLoader } from "./fingerprint.ts";
import { streamWithin, Xoshiro128 } from "./random.ts";
import { toFloat, type Transform } from "./transforms.ts";

/** A batch on the device. Its tensors belong to the loader and are freed when the next batch is asked for. */
export interface Batch {
  /** Inputs `[size, ...]`, f32. */
  readonly x: Tensor;
  /** Targets: class indices `[size]`, i32, or values `[size, ...]`, f32. */
  readonly y: Tensor;
  /** Number of samples; the last batch of an epoch may be smaller than the others. */
  readonly size: number;
}

export interface DataLoaderOptions {
  readonly dataset: Dataset;
  /** Samples in a batch. Default: 64. */
  readonly batchSize?: number;
  /** A new order in every epoch, given by `seed` and the epoch's index. Default: false. */
  readonly shuffle?: boolean;
  /** A whole number from 0 to 2^53 - 1. Default: 0. */
  readonly seed?: number;
  /** Leave out the last batch if it is not full. Default: false. */
  readonly dropLast?: boolean;
  /** Applied to the inputs of each batch, in this order; bytes that are left are divided by 255. Default: none. */
  readonly transform?: Transform | readonly Transform[];
  /** Where the batches go. Default: `defaultDevice()` at the time of loading. */
  readonly device?: Device;
}

/**
 * Batches of a dataset; PyTorch's DataLoader for samples in memory.
 *
 * ```ts
 * const loader = new DataLoader({ dataset: mnist.train, batchSize: 256, shuffle: true, seed: 42, transform: normalize(mnistStats) });
 * for (const { x, y } of loader.epoch(0)) ...
 * ```
 *
 * The order of epoch `e` depends on the seed and `e` alone, and what transforms draw for a batch on both and its index, so a run can be
 * resumed at any batch, on any machine. `for (const batch of loader)` counts the epochs by itself, from `nextEpoch` on.
 */
export class DataLoader implements Iterable<Batch> {
  readonly dataset: Dataset;
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly dropLast: boolean;
  /** Epoch that the next plain iteration runs; set it to resume. */
  nextEpoch = 0;
  readonly #transforms: readonly Transform[];
  readonly #device: Device | undefined;
  #fingerprint: string | undefined;

  /** @throws ArgumentError for a batch size or seed outside its range, or when `dropLast` would leave no batch at all. */
  constructor(options: DataLoaderOptions) {
    const {
      dataset,
      batchSize = 64,
      shuffle = false,
      seed = 0,
      dropLast = false,
      transform = [],
    } = options;
    if (!Number.isSafeInteger(batchSize) || batchSize < 1) {
      throw new ArgumentError(
        "DataLoader",
        `the batch size is not a whole number >= 1: ${batchSize}`,
        "Use 64, for example",
      );
    }
    if (dropLast && dataset.length < batchSize) {
      throw new ArgumentError(
        "DataLoader",
        `dropLast leaves no batch: ${dataset.length} samples do not fill one of ${batchSize}`,
        "Use a smaller batch size, or dropLast: false",
      );
    }
    new Xoshiro128(seed);
    this.dataset = dataset;
    this.batchSize = batchSize;
    this.shuffle = shuffle;
    this.seed = seed;
    this.dropLast = dropLast;
    this.#transforms = typeof transform === "function" ? [transform] : transform;
    this.#device = options.device;
  }

  /** Number of batches in an epoch. */
  get length(): number {
    const batches = this.dataset.length / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** Number of samples in the dataset, also those that `dropLast` leaves out. */
  get datasetSize(): number {
    return this.dataset.length;
  }

  /** Tells whether another loader gives the same batches, up to transforms, by up to 64 of the samples. A checkpoint holds it. */
  get fingerprint(): string {
    return (this.#fingerprint ??= describeLoader(this, contentsOf(this.dataset)));
  }

  /** Indices of the samples of an epoch in the order in which they come, also those that `dropLast` leaves out. */
  order(epoch: number): Uint32Array<ArrayBuffer> {
    const { length } = this.dataset;
    const random = new Xoshiro128(this.seed, epoch);
    return this.shuffle ? random.permutation(length) : Uint32Array.from({ length }, (_, i) => i);
  }

  /** The batches of the epoch with this index, a whole number >= 0. Leaving the loop early frees the current batch. */
  epoch(epoch: number): Generator<Batch, void, undefined> {
    return this.epochFrom(epoch, 0);
  }

  /** As `epoch`, from batch number `start` on, bit for bit; those before are not made. */
  *epochFrom(epoch: number, start: number): Generator<Batch, void, undefined> {
    const order = this.order(epoch);
    for (let i = start; i < this.length; i++) {
      const batch = this.#load(order, epoch, i);
      try {
        yield batch;
      } finally {
        batch.x.release("the loader, when the next batch was asked for");
        batch.y.release("the loader, when the next batch was asked for");
      }
    }
  }

  /**
   * The first batch of epoch 0, for a look at the data. It belongs to the caller: it lives until it is released or collected.
   * @throws ArgumentError when the dataset is empty.
   */
  oneBatch(): Batch {
    if (this.dataset.length === 0) {
      throw new ArgumentError(
        "oneBatch",
        "there is no batch: the dataset has 0 samples",
        "Load some",
      );
    }
    return this.#load(this.order(0), 0, 0);
  }

  /** The batches of epoch `nextEpoch`, which is counted up. */
  [Symbol.iterator](): Generator<Batch, void, undefined> {
    return this.epoch(this.nextEpoch++);
  }

  #load(order: Uint32Array, epoch: number, batch: number): Batch {
    const indices = order.subarray(batch * this.batchSize, (batch + 1) * this.batchSize);
    const random = new Xoshiro128(this.seed, streamWithin(epoch, batch));
    return this.#upload(this.dataset.gather(indices), random);
  }

  #upload({ x: raw, y }: HostBatch, random: Xoshiro128): Batch {
    const x = toFloat(this.#transforms.reduce((array, transform) => transform(array, random), raw));
    const device = this.#device === undefined ? {} : { device: this.#device };
    return {
      x: keep(tensor(x.data, { shape: x.shape, ...device })),
      y: keep(tensor(y.data, { shape: y.shape, ...device })),
      size: x.shape[0] ?? 0,
    };
  }
}

/** Samples that a fingerprint looks at, at most. */
const samplesLookedAt = 64;

function contentsOf(dataset: Dataset): ContentHash {
  const hash = new ContentHash();
  const count = Math.min(dataset.length, samplesLookedAt);
  const indices = Uint32Array.from({ length: count }, (_, i) =>
    Math.floor((i * dataset.length) / count),
  );
  if (count === 0) return hash;
  const { x, y } = dataset.gather(indices);
  hash.addSample(x.data);
  hash.addSample(y.data);
  return hash;
}
