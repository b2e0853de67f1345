/** @file What a model needs of its images: the transforms and the classes, and a way to write them down and read them back. */
import { ArgumentError } from "../../engine/index.ts";
import { ResizeBatch, type ResizeSettings } from "../augment/resize-batch.ts";
import type { BatchTransform, Json } from "../batch-transform.ts";
import type { ChannelStats } from "../transforms.ts";
import { checkTransforms } from "./check-transforms.ts";
import { ImageLoader, type LoadingOptions } from "./image-loader.ts";
import type { ItemTransform } from "./item-transform.ts";
import { loadPixels, type ImageSource, type LoadImage } from "./load-image.ts";
import { Normalize } from "./normalize.ts";
import type { ImageChannels } from "./rgb-image.ts";
import { RandomResizedCrop, Resize, type SizeArgument } from "./resize.ts";
import type { Label } from "./vocab.ts";

type Settings = Readonly<Record<string, Json>>;

/** Makes transforms by name, those of other files too. */
export interface TransformMakers {
  readonly itemTfms?: Readonly<Record<string, (settings: Settings) => ItemTransform>>;
  readonly batchTfms?: Readonly<Record<string, (settings: Settings) => BatchTransform>>;
}

export interface ImagePipelineOptions {
  readonly vocab: readonly Label[];
  /** Of the images: 1, their grey values; 3, red, green and blue. Default: 3. */
  readonly channels?: ImageChannels;
  readonly itemTfms: readonly ItemTransform[];
  readonly batchTfms: readonly BatchTransform[];
  /** Default: `loadPixels`. */
  readonly load?: LoadImage;
  /** How files are decoded, for `settings()`. Default: {}. */
  readonly decoding?: Settings;
}

export interface TestLoaderOptions extends LoadingOptions {
  /** Default: 64. */
  readonly bs?: number;
}

const format = "wgrad image pipeline 1";

/**
 * Transforms and classes. It belongs to a trained model as its weights do: with the wrong sizes or statistics a model says nonsense
 * without an error.
 */
export class ImagePipeline {
  readonly vocab: readonly Label[];
  /** Of the images, before `batchTfms`. */
  readonly channels: ImageChannels;
  readonly itemTfms: readonly ItemTransform[];
  readonly load: LoadImage;
  readonly decoding: Settings;
  readonly #batchTfms: BatchTransform[];

  /** @throws ArgumentError for what is no list of transforms, when there is more than one normalisation, or channels is neither 1 nor 3. */
  constructor(options: ImagePipelineOptions) {
    checkTransforms("itemTfms", options.itemTfms);
    checkTransforms("batchTfms", options.batchTfms);
    this.vocab = options.vocab;
    this.channels = checkChannels(options.channels ?? 3);
    this.itemTfms = options.itemTfms;
    this.load = options.load ?? loadPixels;
    this.decoding = options.decoding ?? {};
    this.#batchTfms = [...options.batchTfms];
    const count = this.#batchTfms.filter((transform) => transform instanceof Normalize).length;
    if (count > 1) {
      throw new ArgumentError(
        "ImagePipeline",
        `the images would be normalised ${count} times`,
        "Leave one Normalize in batchTfms",
      );
    }
  }

  /** All transforms of batches, in the order in which they run. */
  get batchTfms(): readonly BatchTransform[] {
    return [...this.#batchTfms].sort((a, b) => a.order - b.order);
  }

  /** Channels of a batch, after its transforms. */
  get batchChannels(): number {
    return this.batchTfms.reduce<number>(
      (channels, { outChannels = channels }) => outChannels,
      this.channels,
    );
  }

  get normalization(): Normalize | undefined {
    return this.#batchTfms.find((transform) => transform instanceof Normalize);
  }

  /**
   * Adds a normalisation to training, validation and prediction at once. Adding the same again changes nothing.
   *
   * @throws ArgumentError when there is one with other statistics.
   */
  addNormalize(stats: ChannelStats): void {
    const added = new Normalize(stats);
    const present = this.normalization;
    if (present === undefined) this.#batchTfms.push(added);
    else if (!present.equals(added)) {
      throw new ArgumentError(
        "addNormalize",
        `the images are normalised already, with other statistics: ${JSON.stringify(present.settings)}, not ${JSON.stringify(added.settings)}`,
        "Use one or the other",
      );
    }
  }

  /** Batches for prediction: transforms as in validation, in the order of the items; y is -1 everywhere. */
  testLoader(items: readonly ImageSource[], options: TestLoaderOptions = {}): ImageLoader {
    const { bs, ...loading } = options;
    return new ImageLoader({
      ...loading,
      ...(bs !== undefined && { batchSize: bs }),
      ...{ items, load: this.load, itemTfms: this.itemTfms, training: false },
      channels: this.channels,
      batchTfms: () => this.batchTfms,
    });
  }

  /** Everything that prediction needs, to be stored with a model; read by `pipelineFromSettings`. */
  settings(): Settings {
    const described = ({ name, settings }: ItemTransform | BatchTransform) => ({ name, settings });
    return {
      format,
      vocab: this.vocab,
      channels: this.channels,
      decoding: this.decoding,
      itemTfms: this.itemTfms.map(described),
      batchTfms: this.batchTfms.map((t) => ({ ...described(t), trainingOnly: t.trainingOnly })),
    };
  }

  /**
   * Names of the transforms in what `settings()` returned that prediction needs and that are not in this folder: `fromSettings` has to be
   * given makers for these.
   *
   * @throws ArgumentError when the settings are not such.
   */
  static needsMakers(settings: Json): Record<keyof TransformMakers, readonly string[]> {
    const all = ofThisFormat(settings);
    return {
      itemTfms: namesOf(list(all["itemTfms"])).filter((name) => !Object.hasOwn(ownItemTfms, name)),
      batchTfms: namesOf(forPrediction(all)).filter((name) => !Object.hasOwn(ownBatchTfms, name)),
    };
  }

  /**
   * The pipeline that `settings()` described, as far as prediction needs it: without what is for training only, and without the label
   * function.
   *
   * @param makers - of transforms that are not in this folder.
   * @throws ArgumentError when the settings are not such, or name a transform that nobody makes.
   */
  static fromSettings(
    settings: Json,
    { load, makers = {} }: { readonly load?: LoadImage; readonly makers?: TransformMakers } = {},
  ): ImagePipeline {
    const all = ofThisFormat(settings);
    const itemMakers = { ...ownItemTfms, ...makers.itemTfms };
    const batchMakers = { ...ownBatchTfms, ...makers.batchTfms };
    return new ImagePipeline({
      vocab: list(all["vocab"]).map(label),
      // Settings of before there were grey images do not say it.
      channels: checkChannels((all["channels"] ?? 3) as number),
      decoding: record(all["decoding"]),
      itemTfms: list(all["itemTfms"]).map((t) => make(t, itemMakers)),
      batchTfms: forPrediction(all).map((t) => make(t, batchMakers)),
      ...(load !== undefined && { load }),
    });
  }
}

function checkChannels(channels: number): ImageChannels {
  if (channels === 1 || channels === 3) return channels;
  throw new ArgumentError(
    "ImagePipeline",
    `images have 1 or 3 channels, not ${JSON.stringify(channels)}`,
    "Use 1 for grey images, 3 for colour; others can be made by a transform in batchTfms",
  );
}

// The constructors check their arguments, also those of a file that somebody wrote by hand.
const ownItemTfms: NonNullable<TransformMakers["itemTfms"]> = {
  Resize: ({ size, ...rest }) => new Resize(size as SizeArgument, rest),
  RandomResizedCrop: ({ size, ...rest }) => new RandomResizedCrop(size as SizeArgument, rest),
};

const ownBatchTfms: NonNullable<TransformMakers["batchTfms"]> = {
  ResizeBatch: ({ size, mode, padMode, alignCorners, centralSquare }) =>
    new ResizeBatch({
      size: list(size).map(Number) as unknown as ResizeSettings["size"],
      mode: mode as ResizeSettings["mode"],
      padMode: padMode as ResizeSettings["padMode"],
      ...{ alignCorners: alignCorners === true, centralSquare: centralSquare === true },
    }),
  Normalize: (settings) =>
    new Normalize({
      mean: list(settings["mean"]).map(Number),
      std: list(settings["std"]).map(Number),
    }),
};

function ofThisFormat(settings: Json): Settings {
  const all = record(settings);
  if (all["format"] === format) return all;
  throw wrong(`the format is ${JSON.stringify(all["format"])}, not "${format}"`);
}

/** Transforms of batches that are not for training only. */
function forPrediction(settings: Settings): readonly Json[] {
  return list(settings["batchTfms"]).filter((t) => record(t)["trainingOnly"] !== true);
}

function namesOf(transforms: readonly Json[]): string[] {
  const names = transforms.map((t) => record(t)["name"]);
  return [...new Set(names.filter((name) => typeof name === "string"))];
}

function make<T>(described: Json, makers: Readonly<Record<string, (settings: Settings) => T>>): T {
  const { name, settings } = record(described);
  const maker = typeof name === "string" ? makers[name] : undefined;
  if (maker !== undefined) return maker(record(settings));
  throw wrong(
    `the transform ${JSON.stringify(name)} is unknown; known are ${Object.keys(makers).join(", ")}`,
  );
}

function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

function list(value: Json | undefined): readonly Json[] {
  if (isList(value)) return value;
  throw wrong(`a list is missing, there is ${JSON.stringify(value)}`);
}

function record(value: Json | undefined): Settings {
  if (typeof value === "object" && value !== null && !isList(value)) return value;
  throw wrong(`an object is missing, there is ${JSON.stringify(value)}`);
}

function label(value: Json): Label {
  if (typeof value === "string" || typeof value === "number" || typeof value === "boolean")
    return value;
  throw wrong(`a class has to be a text, a number, true or false, not ${JSON.stringify(value)}`);
}

function wrong(problem: string): ArgumentError {
  return new ArgumentError(
    "pipelineFromSettings",
    `the settings cannot be used: ${problem}`,
    "Pass what settings() returned, and makers for transforms of your own",
  );
}
