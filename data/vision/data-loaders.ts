/** @file ImageDataLoaders: from files and labels to batches for training and validation. Node only. */
import { basename } from "node:path";
import { ArgumentError } from "../../engine/index.ts";
import type { BatchTransform, Json } from "../batch-transform.ts";
import type { Batch } from "../loader.ts";
import type { ChannelStats } from "../transforms.ts";
import { readLabelsCsv, type CsvOptions } from "./csv-labels.ts";
import { imageFileLoader, type DecodeOptions } from "./decode.ts";
import { getImageFiles } from "./image-files.ts";
import { ImageLoader, type LoadingOptions } from "./image-loader.ts";
import { ImagePipeline, type TestLoaderOptions, type TransformMakers } from "./image-pipeline.ts";
import type { ItemTransform } from "./item-transform.ts";
import {
  categorize,
  labelsOf,
  regexLabel,
  type LabelFunction,
  type LabelledSplit,
} from "./labels.ts";
import type { ImageSource } from "./load-image.ts";
import type { ImageChannels } from "./rgb-image.ts";
import { showBatch, type ShowBatchOptions } from "./show-batch.ts";
import { grandparentSplitter, randomSplitter, type Split, type Splitter } from "./splitters.ts";
import { summarize } from "./summary.ts";
import type { Label } from "./vocab.ts";
import { warningsOf } from "./warnings.ts";

/** What all ways to make `ImageDataLoaders` take. */
export interface ImageDataLoadersOptions extends LoadingOptions, DecodeOptions {
  /** Fraction of the images that validates. Default: 0.2. */
  readonly validPct?: number;
  /**
   * Decides the split, which is fastai's for the same seed and order of files, and the order and random positions of training. A whole
   * number from 0 to 2^32 - 1. Default: 0.
   */
  readonly seed?: number;
  /** Images in a batch. Default: 64. */
  readonly bs?: number;
  /** Images in a batch of validation. Default: bs. */
  readonly valBs?: number;
  /** 1: the grey values of the images, as fastai's `PILImageBW`; 3: red, green and blue. Default: 3. */
  readonly channels?: ImageChannels;
  /** Bring every image to one size: `[new Resize(224)]`. Default: none; all images must have one size then. */
  readonly itemTfms?: readonly ItemTransform[];
  /** On whole batches, on the device. Default: none. */
  readonly batchTfms?: readonly BatchTransform[];
  /** Classes in their order. Default: the labels of the training images, in Python's order. */
  readonly vocab?: readonly Label[];
  /** A new order of the training images in every epoch. Default: true. */
  readonly shuffle?: boolean;
  /** Instead of a random split. Default: `randomSplitter({ validPct, seed })`. */
  readonly splitter?: Splitter;
  /** Called for what is no error but seldom wanted: only one class, no validation. Default: `console.warn`. */
  readonly onWarning?: (text: string) => void;
}

export interface LabelFunctionOptions extends ImageDataLoadersOptions {
  readonly labelFunc: LabelFunction;
}

export interface RegexOptions extends ImageDataLoadersOptions {
  /** Its group 1 is the label. */
  readonly pattern: RegExp;
}

export interface FolderOptions extends ImageDataLoadersOptions {
  /** Folder of the training images. Default: "train". */
  readonly train?: string;
  /** Folder of the validation images. Default: "valid". */
  readonly valid?: string;
}

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

function decodingOf(options: DecodeOptions): DecodeOptions & Record<string, Json> {
  const { applyExif, maxPixels, exactResize } = options;
  return {
    ...(applyExif !== undefined && { applyExif }),
    ...(maxPixels !== undefined && { maxPixels }),
    ...(exactResize !== undefined && { exactResize }),
  };
}

function loadingOf({ numWorkers, prefetch, device }: LoadingOptions): LoadingOptions {
  return {
    ...(numWorkers !== undefined && { numWorkers }),
    ...(prefetch !== undefined && { prefetch }),
    ...(device !== undefined && { device }),
  };
}

function checkLists(path: string, files: readonly string[], labels: readonly Label[]): void {
  if (files.length === 0) {
    throw new ArgumentError(
      "ImageDataLoaders",
      `there are no images: 0 files of ${path}`,
      "Check the folder; getImageFiles lists what it finds",
    );
  }
  if (files.length !== labels.length) {
    throw new ArgumentError(
      "ImageDataLoaders",
      `files and labels differ in number: ${files.length} and ${labels.length}`,
      "Give one label for each file",
    );
  }
}

function checkSplit(path: string, { train, valid }: Split): void {
  if (train.length > 0) return;
  throw new ArgumentError(
    "ImageDataLoaders",
    `no image of ${path} is for training: 0 train, ${valid.length} validate`,
    "Use a smaller validPct, or correct the splitter or the names of the folders",
  );
}

/** Files that a splitter left out. */
function inNeither(files: readonly string[], { train, valid }: Split): readonly string[] {
  const used = new Set([...train, ...valid]);
  return files.filter((_, i) => !used.has(i));
}
