/** @file ImageLoader: batches of images, decoded ahead of the device that computes with them. */
import {
  ArgumentError,
  defaultDevice,
  keep,
  tensor,
  type Device,
  type Tensor,
} from "../../engine/index.ts";
import type { BatchTransform } from "../batch-transform.ts";
import { ContentHash, describeLoader } from "../fingerprint.ts";
import type { Batch } from "../loader.ts";
import { streamWithin, Xoshiro128 } from "../random.ts";
import { applyBatchTransforms } from "./apply-batch-transforms.ts";
import { imagesToDevice } from "./bytes-to-device.ts";
import { sourceName, type ImageSource, type LoadImage } from "./load-image.ts";
import type { ItemTransform } from "./item-transform.ts";
import { Limiter } from "./limiter.ts";
import type { ImageChannels, RgbImage } from "./rgb-image.ts";

/** How much is loaded ahead, and where to. */
export interface LoadingOptions {
  /** Images that are decoded at one time. Node's pool has 4 threads unless UV_THREADPOOL_SIZE says otherwise. Default: 8. */
  readonly numWorkers?: number;
  /** Batches that are decoded ahead of the one that is asked for; as bytes, on the host. Default: 2. */
  readonly prefetch?: number;
  /** Default: `defaultDevice()` at the time of loading. */
  readonly device?: Device;
}

export interface ImageLoaderOptions extends LoadingOptions {
  readonly items: readonly ImageSource[];
  /** Class of each item. Default: there are none, and y is -1 everywhere. */
  readonly labels?: Int32Array;
  readonly load: LoadImage;
  /** Of the images on the device, before `batchTfms`. Default: 3. */
  readonly channels?: ImageChannels;
  /** Bring every image to one size. */
  readonly itemTfms: readonly ItemTransform[];
  /** Asked for each batch anew, so that one can be added later. */
  readonly batchTfms: () => readonly BatchTransform[];
  /** Random positions, and transforms that are for training only. */
  readonly training: boolean;
  /** Default: 64. */
  readonly batchSize?: number;
  readonly shuffle?: boolean;
  readonly seed?: number;
  readonly dropLast?: boolean;
}

/**
 * Batches of images: x `[n, height, width, channels]`, f32, and y `[n]`, i32. While the device computes, the next batches are decoded.
 *
 * An epoch depends on the seed and its index alone, however long each image takes: the order is given by both, and every image has
 * random numbers of its own, given by seed, epoch and the image's index. An image that cannot be decoded rejects when its batch is
 * asked for, and the error names it. Leaving the loop early stops what was not begun.
 */
export class ImageLoader implements AsyncIterable<Batch> {
  readonly items: readonly ImageSource[];
  readonly batchSize: number;
  readonly shuffle: boolean;
  readonly seed: number;
  readonly dropLast: boolean;
  readonly training: boolean;
  readonly channels: ImageChannels;
  readonly itemTfms: readonly ItemTransform[];
  /** Class of each item; undefined where there are none. */
  readonly labels: Int32Array | undefined;
  /** Epoch that the next plain iteration runs; set it to resume. */
  nextEpoch = 0;
  readonly #load: LoadImage;
  readonly #batchTfms: () => readonly BatchTransform[];
  readonly #numWorkers: number;
  readonly #prefetch: number;
  readonly #device: Device | undefined;
  #fingerprint: string | undefined;

  /** @throws ArgumentError for a batch size, seed, number of workers, batches or labels outside its range. */
  constructor(options: ImageLoaderOptions) {
    const { items, labels, batchSize = 64, numWorkers = 8, prefetch = 2, seed = 0 } = options;
    checkCount("batch size", batchSize, 1);
    checkCount("numWorkers", numWorkers, 1);
    checkCount("prefetch", prefetch, 0);
    new Xoshiro128(seed);
    if (labels !== undefined && labels.length !== items.length) {
      throw new ArgumentError(
        "ImageLoader",
        `items and labels differ in number: ${items.length} and ${labels.length}`,
        "Give one label for each item, or none at all",
      );
    }
    this.items = items;
    this.labels = labels;
    this.batchSize = batchSize;
    this.shuffle = options.shuffle ?? false;
    this.seed = seed;
    this.dropLast = options.dropLast ?? false;
    this.training = options.training;
    this.channels = options.channels ?? 3;
    this.itemTfms = options.itemTfms;
    this.#load = options.load;
    this.#batchTfms = options.batchTfms;
    this.#numWorkers = numWorkers;
    this.#prefetch = prefetch;
    this.#device = options.device;
  }

  /** Number of batches in an epoch. */
  get length(): number {
    const batches = this.items.length / this.batchSize;
    return this.dropLast ? Math.floor(batches) : Math.ceil(batches);
  }

  /** Number of images, also those that `dropLast` leaves out. */
  get datasetSize(): number {
    return this.items.length;
  }

  /**
   * Tells whether another loader gives the same batches, up to transforms: by names of files without folders, or some bytes of an image,
   * and classes. A checkpoint holds it.
   */
  get fingerprint(): string {
    return (this.#fingerprint ??= describeLoader(this, contentsOf(this)));
  }

  /** Transforms of batches that this loader runs, in their order. */
  get batchTfms(): readonly BatchTransform[] {
    return this.#batchTfms()
      .filter(({ trainingOnly }) => this.training || !trainingOnly)
      .sort((a, b) => a.order - b.order);
  }

  /** Indices of the images of an epoch in the order in which they come, also those that `dropLast` leaves out. */
  order(epoch: number): Uint32Array<ArrayBuffer> {
    const { length } = this.items;
    const random = new Xoshiro128(this.seed, epoch);
    return this.shuffle ? random.permutation(length) : Uint32Array.from({ length }, (_, i) => i);
  }

  /**
   * The batches of the epoch with this index, a whole number >= 0. Each belongs to the loader and is freed when the next is asked for
   * or the loop is left.
   */
  epoch(epoch: number): AsyncGenerator<Batch, void, undefined> {
    return this.epochFrom(epoch, 0);
  }

  /** As `epoch`, from batch number `start` on, bit for bit; images of those before are not decoded. */
  async *epochFrom(epoch: number, start: number): AsyncGenerator<Batch, void, undefined> {
    const order = this.order(epoch);
    const limiter = new Limiter(this.#numWorkers);
    const ahead: Promise<RgbImage>[][] = [];
    let begun = start;
    try {
      for (let i = start; i < this.length; i++) {
        for (; begun < this.length && begun <= i + this.#prefetch; begun++) {
          ahead.push(this.#begin(limiter, epoch, this.#indices(order, begun)));
        }
        const images = await inOrder(ahead.shift() ?? []);
        const batch = this.#upload(images, this.#indices(order, i), epoch, i);
        try {
          yield batch;
        } finally {
          releaseBatch(batch);
        }
      }
    } finally {
      await limiter.close();
    }
  }

  /**
   * The first batch of epoch 0, for a look at the data. It belongs to the caller: it lives until it is released or collected.
   *
   * @throws ArgumentError when there is no image.
   */
  async oneBatch(): Promise<Batch> {
    return this.batchOf(this.order(0).subarray(0, this.batchSize), 0);
  }

  /** A batch of the images with these indices, as they are in an epoch. It belongs to the caller. */
  async batchOf(indices: Uint32Array, epoch: number): Promise<Batch> {
    if (indices.length === 0) {
      throw new ArgumentError("oneBatch", "there is no batch: the loader has 0 images", "Add some");
    }
    const limiter = new Limiter(this.#numWorkers);
    try {
      const images = await inOrder(this.#begin(limiter, epoch, indices));
      return this.#upload(images, indices, epoch, 0);
    } finally {
      await limiter.close();
    }
  }

  /** The batches of epoch `nextEpoch`, which is counted up. */
  [Symbol.asyncIterator](): AsyncGenerator<Batch, void, undefined> {
    return this.epoch(this.nextEpoch++);
  }

  #indices(order: Uint32Array, batch: number): Uint32Array {
    return order.subarray(batch * this.batchSize, (batch + 1) * this.batchSize);
  }

  #begin(limiter: Limiter, epoch: number, indices: Uint32Array): Promise<RgbImage>[] {
    return Array.from(indices, (index) =>
      limiter.run(() => {
        const random = new Xoshiro128(this.seed, streamWithin(epoch, index));
        const source = this.items[index] ?? "";
        return this.#load(source, this.itemTfms, { training: this.training, random }).catch(
          (error: unknown) => {
            throw withName(error, sourceName(source, index));
          },
        );
      }),
    );
  }

  #upload(
    images: readonly RgbImage[],
    indices: Uint32Array,
    epoch: number,
    batchIndex: number,
  ): Batch {
    const device = this.#device ?? defaultDevice("ImageLoader");
    const names = Array.from(indices, (index) => sourceName(this.items[index] ?? "", index));
    const pixels = keep(imagesToDevice(images, names, device, this.channels));
    const random = new Xoshiro128(this.seed, streamWithin(epoch, batchStreams + batchIndex));
    const x = applyBatchTransforms(pixels, this.batchTfms, random);
    return { x, y: this.#targets(indices, device), size: indices.length };
  }

  #targets(indices: Uint32Array, device: Device): Tensor {
    const classes = Int32Array.from(indices, (index) => this.labels?.[index] ?? -1);
    return keep(tensor(classes, { device }));
  }
}

/** Streams of one epoch below these are for images, from here on for batches. */
const batchStreams = 2 ** 31;

/** Awaits one after another, so that of several bad images the first one is reported, whichever was looked at first. */
async function inOrder<T>(promises: readonly Promise<T>[]): Promise<T[]> {
  const results: T[] = [];
  for (const promise of promises) results.push(await promise);
  return results;
}

/** An error that names the image, as those of the decoder do already. */
function withName(error: unknown, name: string): Error {
  if (error instanceof Error && error.message.includes(name)) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new ArgumentError("ImageLoader", `${name} cannot be loaded: ${reason}`, "Look at it");
}

function releaseBatch({ x, y }: Batch): void {
  x.release("the loader, when the next batch was asked for");
  y.release("the loader, when the next batch was asked for");
}

function contentsOf({ items, labels }: ImageLoader): ContentHash {
  const hash = new ContentHash();
  for (const item of items) {
    if (typeof item === "string") hash.addText(fileName(item));
    else hash.addSample(item instanceof Uint8Array ? item : item.data);
  }
  if (labels !== undefined) for (const label of labels) hash.add(label);
  return hash;
}

function fileName(path: string): string {
  return path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1);
}

function checkCount(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new ArgumentError(
      "ImageLoader",
      `the ${name} is not a whole number >= ${least}: ${value}`,
      `Use ${Math.max(least, 1)} or more`,
    );
  }
}
