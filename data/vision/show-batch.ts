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

/** Brings a batch back to pictures with their classes: without normalisation, cut to bytes. Frees it. */
export async function imagesOf(
  { pipeline }: Pick<Shown, "pipeline">,
  { x, y }: Batch,
): Promise<TitledImage[]> {
  const [pixels, classes] = await Promise.all([x.data(), y.data()]);
  x.release("showBatch");
  y.release("showBatch");
  const [, height = 0, width = 0] = x.shape;
  const { mean, std } = pipeline.normalization?.stats ?? { mean: [0, 0, 0], std: [1, 1, 1] };
  // 255 (x std + mean); the array clamps and rounds.
  const bytes = Uint8ClampedArray.from(
    pixels,
    (value, i) => 255 * (value * (std[i % 3] ?? 1) + (mean[i % 3] ?? 0)),
  );
  return Array.from(classes, (index, i) => ({
    image: {
      ...{ width, height },
      data: new Uint8Array(bytes.buffer, i * height * width * 3, height * width * 3),
    },
    title: [{ text: String(pipeline.vocab[index] ?? "") }],
  }));
}
