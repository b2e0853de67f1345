/** @file What loaders do, in words. */
import { formatShape } from "../../engine/index.ts";
import type { BatchTransform } from "../batch-transform.ts";
import type { Batch } from "../loader.ts";
import type { ImageLoader } from "./image-loader.ts";
import type { ItemTransform } from "./item-transform.ts";
import type { ImagePipeline } from "./image-pipeline.ts";

/** What is described; `ImageDataLoaders` is one. */
export interface Summarized {
  readonly path: string;
  readonly train: ImageLoader;
  readonly valid: ImageLoader;
  readonly pipeline: ImagePipeline;
  readonly warnings: readonly string[];
}

/** See `ImageDataLoaders.summary`. Decodes one batch of each part. */
export async function summarize(loaders: Summarized): Promise<string> {
  const { path, train, valid, pipeline, warnings } = loaders;
  const { vocab, normalization } = pipeline;
  return [
    `Images of ${path}: ${train.datasetSize} train, ${valid.datasetSize} validate`,
    `${vocab.length} ${vocab.length === 1 ? "class" : "classes"}: ${vocab.map(String).join(", ")}`,
    "",
    ...(await describe("Training", train, pipeline.decoding)),
    "",
    ...(await describe("Validation and prediction", valid, pipeline.decoding)),
    "",
    normalization === undefined
      ? "Normalisation: none, pixels from 0 to 1"
      : `Normalisation: once, ${settingsText(normalization)}`,
    ...warnings.map((warning) => `Warning: ${warning}`),
    "",
  ].join("\n");
}

async function describe(
  title: string,
  loader: ImageLoader,
  decoding: ImagePipeline["decoding"],
): Promise<readonly string[]> {
  const { channels, itemTfms, batchTfms, training, batchSize, length } = loader;
  const steps = [
    `decode: ${channels === 1 ? "grey, 8 bits" : "RGB, 8 bits a channel"}${optionsText(decoding)}`,
    ...itemTfms.map((t) => `each image: ${transformText(t)}`),
    "batch: bytes to f32, divided by 255",
    ...batchTfms.map((t) => `batch: ${transformText(t)}, order ${t.order}`),
  ];
  const order = loader.shuffle ? `shuffled with seed ${loader.seed}` : "in order";
  const rest = loader.dropLast ? ", without the last one if it is not full" : "";
  return [
    `${title}: ${length} ${length === 1 ? "batch" : "batches"} of ${batchSize}, ${order}${rest}; positions ${training ? "random" : "fixed"}`,
    ...steps.map((step, i) => `  ${i + 1}. ${step}`),
    `  batch: ${await shapesText(loader)}`,
  ];
}

async function shapesText(loader: ImageLoader): Promise<string> {
  if (loader.datasetSize === 0) return "there is none";
  const batch: Batch = await loader.oneBatch();
  const { x, y } = batch;
  const text = `x ${x.dtype}${formatShape(x.shape)}, y ${y.dtype}${formatShape(y.shape)}`;
  x.release("summary");
  y.release("summary");
  return text;
}

/** Nothing for options that were not given. */
function optionsText(settings: ImagePipeline["decoding"]): string {
  return Object.keys(settings).length === 0 ? "" : ` ${settingsText({ settings })}`;
}

function transformText(transform: ItemTransform | BatchTransform): string {
  return `${transform.name} ${settingsText(transform)}`;
}

function settingsText({ settings }: Pick<BatchTransform, "settings">): string {
  const pairs = Object.entries(settings).map(([name, value]) => `${name} ${JSON.stringify(value)}`);
  return `(${pairs.join(", ")})`;
}
