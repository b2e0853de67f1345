/** @file showBatch: images of a batch with their labels, as one picture. Node only. */
import { writeFile } from "node:fs/promises";
import { ArgumentError } from "../../engine/index.ts";
import type { Batch } from "../loader.ts";
import type { ImageLoader } from "./image-loader.ts";
import type { ImagePipeline } from "./image-pipeline.ts";
import { pictureGrid, type TitledImage } from "./picture-grid.ts";

export interface ShowBatchOptions {
  /** Most images to show. Default: 9. */
  readonly maxN?: number;
  /** Images of training, in the order of epoch 0, or of validation. Default: "train". */
  readonly split?: "train" | "valid";
  /** The first image again and again, as each epoch would show it: what augmentation does. Default: false. */
  readonly unique?: boolean;
  /** Also written here. Default: nowhere. */
  readonly file?: string;
}

interface Shown {
  readonly train: ImageLoader;
  readonly valid: ImageLoader;
  readonly pipeline: ImagePipeline;
}

/** See `ImageDataLoaders.showBatch`. @throws ArgumentError when there is no image, or the size is not a whole number. */
export async function showBatch(
  loaders: Shown,
  { maxN = 9, split = "train", unique = false, file }: ShowBatchOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  const loader = loaders[split];
  const count = Math.min(maxN, unique ? maxN : loader.datasetSize);
  if (!Number.isSafeInteger(maxN) || count < 1) {
    throw new ArgumentError(
      "showBatch",
      `there is nothing to show: maxN ${maxN}, ${loader.datasetSize} images in ${split}`,
      "Use a whole number >= 1, and a part that has images",
    );
  }
  const shown = unique
    ? await versions(loaders, loader, count)
    : await first(loaders, loader, count);
  const png = await pictureGrid(shown);
  if (file !== undefined) await writeFile(file, png);
  return png;
}

async function first(loaders: Shown, loader: ImageLoader, count: number): Promise<TitledImage[]> {
  const indices = loader.order(0).subarray(0, count);
  return imagesOf(loaders, await loader.batchOf(indices, 0));
}

/** One image as the epochs 0, 1, 2, ... show it. */
async function versions(
  loaders: Shown,
  loader: ImageLoader,
  count: number,
): Promise<TitledImage[]> {
  const one = loader.order(0).subarray(0, 1);
  const shown: TitledImage[] = [];
  for (let epoch = 0; epoch < count; epoch++) {
    shown.push(...(await imagesOf(loaders, await loader.batchOf(one, epoch))));
  }
  return shown;
}

/**
 * Brings a batch back to pictures with their classes: without normalisation, cut to bytes. Of 1 channel it makes grey pictures, of 2 red
 * and green, of more than 3 it shows the first three. Frees the batch.
 */
export async function imagesOf(
  { pipeline }: Pick<Shown, "pipeline">,
  { x, y }: Batch,
): Promise<TitledImage[]> {
  const [pixels, classes] = await Promise.all([x.data(), y.data()]);
  x.release("showBatch");
  y.release("showBatch");
  const [, height = 0, width = 0, channels = 0] = x.shape;
  const { mean, std } = pipeline.normalization?.stats ?? { mean: [], std: [] };
  const bytesEach = height * width * 3;
  // 255 (x std + mean); the array clamps and rounds. A channel that is not there is black.
  const bytes = new Uint8ClampedArray(classes.length * bytesEach);
  for (let i = 0; i < bytes.length; i++) {
    const c = channels === 1 ? 0 : i % 3;
    if (c >= channels) continue;
    const value = pixels[Math.floor(i / 3) * channels + c] ?? 0;
    bytes[i] = 255 * (value * (std[c] ?? 1) + (mean[c] ?? 0));
  }
  return Array.from(classes, (index, i) => ({
    image: {
      ...{ width, height },
      data: new Uint8Array(bytes.buffer, i * bytesEach, bytesEach),
    },
    title: [{ text: String(pipeline.vocab[index] ?? "") }],
  }));
}
