/** @file ImageDataLoaders: from files and labels to batches for training and validation. Node only. */
import { basename } from "node:path";
import type { BatchTransform, Json } from "../batch-transform.ts";
import type { Batch } from "../loader.ts";
import type { ChannelStats } from "../transforms.ts";
import { checkLists, checkSplit, inNeither } from "./check-split.ts";
import { readLabelsCsv, type CsvOptions } from "./csv-labels.ts";
import {
  decodingOf,
  loadingOf,
  type FolderOptions,
  type ImageDataLoadersOptions,
  type LabelFunctionOptions,
  type RegexOptions,
} from "./data-loaders-options.ts";
import { imageFileLoader } from "./decode.ts";
import { getImageFiles } from "./image-files.ts";
import { ImageLoader } from "./image-loader.ts";
import { ImagePipeline, type TestLoaderOptions, type TransformMakers } from "./image-pipeline.ts";
import type { ItemTransform } from "./item-transform.ts";
import { categorize, labelsOf, regexLabel, type LabelledSplit } from "./labels.ts";
import type { ImageSource } from "./load-image.ts";
import { showBatch, type ShowBatchOptions } from "./show-batch.ts";
import { grandparentSplitter, randomSplitter } from "./splitters.ts";
import { summarize } from "./summary.ts";
import type { Label } from "./vocab.ts";
import { warningsOf } from "./warnings.ts";

/** Images for training and validation, with their classes; fastai's class of this name, on files. */
export class ImageDataLoaders {
  /** Shuffled; the last batch is left out if it is not full, unless it is the only one. */
  readonly train: ImageLoader;
  /** In order, complete. */
  readonly valid: ImageLoader;
  readonly pipeline: ImagePipeline;
  /** Folder of the data, as it was given. */
  readonly path: string;
  /** What `onWarning` was told. */
  readonly warnings: readonly string[];

  private constructor(
    path: string,
    split: LabelledSplit,
    lost: readonly string[],
    options: ImageDataLoadersOptions,
  ) {
    const { bs = 64, valBs = bs, seed = 0, itemTfms = [], batchTfms = [] } = options;
    const decoding = decodingOf(options);
    const load = imageFileLoader(decoding);
    this.path = path;
    this.pipeline = new ImagePipeline({
      ...{ vocab: split.vocab, itemTfms, batchTfms, load },
      ...(options.channels !== undefined && { channels: options.channels }),
      decoding: { ...decoding },
    });
    const { channels } = this.pipeline;
    const common = {
      ...loadingOf(options),
      ...{ load, channels, itemTfms, batchTfms: () => this.pipeline.batchTfms, seed },
    };
    this.train = new ImageLoader({
      ...{ ...common, items: split.train.files, labels: split.train.classes, training: true },
      ...{ batchSize: bs, shuffle: options.shuffle ?? true },
      dropLast: split.train.files.length >= bs,
    });
    this.valid = new ImageLoader({
      ...{ ...common, items: split.valid.files, labels: split.valid.classes, training: false },
      batchSize: valBs,
    });
    this.warnings = warningsOf(split, lost, bs);
    for (const warning of this.warnings) (options.onWarning ?? defaultWarning)(warning);
  }

  /** Classes, by their index. */
  get vocab(): readonly Label[] {
    return this.pipeline.vocab;
  }

  /** Channels of a batch, after its transforms. */
  get channels(): number {
    return this.pipeline.batchChannels;
  }

  /** Transforms of single images. */
  get itemTfms(): readonly ItemTransform[] {
    return this.pipeline.itemTfms;
  }

  /** Transforms of batches, in the order in which they run. */
  get batchTfms(): readonly BatchTransform[] {
    return this.pipeline.batchTfms;
  }

  /**
   * Labels by the file's name: `labelFunc("Bengal_12.jpg")`.
   *
   * @throws ArgumentError when there are no files, the label function fails, or a label of the validation set is not in the training set.
   */
  static fromNameFunc(
    path: string,
    files: readonly string[],
    options: LabelFunctionOptions,
  ): Promise<ImageDataLoaders> {
    return attempt(() => labelsOf(files, options.labelFunc, nameOf)).then((labels) =>
      ImageDataLoaders.fromLists(path, files, labels, options),
    );
  }

  /** Labels by the file's path. Throws as `fromNameFunc`. */
  static fromPathFunc(
    path: string,
    files: readonly string[],
    options: LabelFunctionOptions,
  ): Promise<ImageDataLoaders> {
    return attempt(() => labelsOf(files, options.labelFunc, (file) => file)).then((labels) =>
      ImageDataLoaders.fromLists(path, files, labels, options),
    );
  }

  /** Labels by group 1 of a pattern in the file's name: `/^(.+)_\d+/` for the breeds of the pets. Throws as `fromNameFunc`. */
  static fromNameRegex(
    path: string,
    files: readonly string[],
    options: RegexOptions,
  ): Promise<ImageDataLoaders> {
    const labelFunc = regexLabel(options.pattern);
    return ImageDataLoaders.fromNameFunc(path, files, { ...options, labelFunc });
  }

  /**
   * Labels by the folder that an image lies in. Without `validPct` or `splitter`, the images in `train/CLASS/` train and those in
   * `valid/CLASS/` validate; with one of them all images of the folder are split.
   *
   * @throws ArgumentError as `fromNameFunc`, and when a folder is missing.
   */
  static async fromFolder(path: string, options: FolderOptions = {}): Promise<ImageDataLoaders> {
    const { train = "train", valid = "valid", validPct, splitter } = options;
    const byFolder = validPct === undefined && splitter === undefined;
    const files = await getImageFiles(path, byFolder ? { folders: [train, valid] } : {});
    const labels = files.map((file) => file.split(/[\\/]/).at(-2) ?? "");
    return ImageDataLoaders.fromLists(path, files, labels, {
      ...options,
      ...(byFolder && { splitter: grandparentSplitter({ train, valid }) }),
    });
  }

  /** Names and labels in a table, see `CsvOptions`. Throws as `fromNameFunc`, and when the table cannot be read. */
  static async fromCsv(
    path: string,
    options: ImageDataLoadersOptions & CsvOptions = {},
  ): Promise<ImageDataLoaders> {
    const { files, labels, splitter } = await readLabelsCsv(path, options);
    return ImageDataLoaders.fromLists(path, files, labels, {
      ...(splitter !== undefined && { splitter }),
      ...options,
    });
  }

  /** One label for each file. Throws as `fromNameFunc`, and when there are more of one than of the other. */
  static fromLists(
    path: string,
    files: readonly string[],
    labels: readonly Label[],
    options: ImageDataLoadersOptions = {},
  ): Promise<ImageDataLoaders> {
    return attempt(() => {
      checkLists(path, files, labels);
      const split = (options.splitter ?? randomSplitter(options))(files);
      checkSplit(path, split);
      const labelled = categorize(files, labels, split, options.vocab);
      return new ImageDataLoaders(path, labelled, inNeither(files, split), options);
    });
  }

  /** The first batch of training. It belongs to the caller. */
  oneBatch(): Promise<Batch> {
    return this.train.oneBatch();
  }

  /** Batches for prediction: as in validation, without labels. */
  testLoader(items: readonly ImageSource[], options: TestLoaderOptions = {}): ImageLoader {
    return this.pipeline.testLoader(items, { bs: this.valid.batchSize, ...options });
  }

  /**
   * Normalises the images of training, validation and prediction. Adding the same again changes nothing.
   *
   * @throws ArgumentError when they are normalised already with other statistics.
   */
  addNormalize(stats: ChannelStats): void {
    this.pipeline.addNormalize(stats);
  }

  /** Text: how many images and classes, every transform of training and validation with its settings, shapes, and warnings. */
  async summary(): Promise<string> {
    return summarize(this);
  }

  /** Everything that prediction needs, as JSON, to be stored with a model; without the label function. */
  settings(): Json {
    return this.pipeline.settings();
  }

  /** The pipeline that `settings()` described, for prediction. Throws as `ImagePipeline.fromSettings`. */
  static pipelineFromSettings(settings: Json, makers: TransformMakers = {}): ImagePipeline {
    return imagePipelineFromSettings(settings, makers);
  }

  /** A picture with images of a batch and their labels, as PNG. See `ShowBatchOptions`. */
  showBatch(options: ShowBatchOptions = {}): Promise<Uint8Array<ArrayBuffer>> {
    return showBatch(this, options);
  }
}

function imagePipelineFromSettings(settings: Json, makers: TransformMakers): ImagePipeline {
  const { decoding } = ImagePipeline.fromSettings(settings, { makers });
  const { applyExif, maxPixels, exactResize } = decoding;
  const load = imageFileLoader({
    ...(typeof applyExif === "boolean" && { applyExif }),
    ...(typeof maxPixels === "number" && { maxPixels }),
    ...(typeof exactResize === "boolean" && { exactResize }),
  });
  return ImagePipeline.fromSettings(settings, { makers, load });
}

/** What is thrown becomes a rejection. */
function attempt<T>(make: () => T): Promise<T> {
  return Promise.resolve().then(make);
}

function nameOf(file: string): string {
  return basename(file);
}

function defaultWarning(text: string): void {
  console.warn(`wgrad: ${text}`);
}
