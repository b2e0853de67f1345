/** @file Options of the ways to make `ImageDataLoaders`. */
import type { BatchTransform, Json } from "../batch-transform.ts";
import type { DecodeOptions } from "./decode.ts";
import type { LoadingOptions } from "./image-loader.ts";
import type { ItemTransform } from "./item-transform.ts";
import type { LabelFunction } from "./labels.ts";
import type { ImageChannels } from "./rgb-image.ts";
import type { Splitter } from "./splitters.ts";
import type { Label } from "./vocab.ts";

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

/** Those of decoding; also what a pipeline keeps of them. */
export function decodingOf(options: DecodeOptions): DecodeOptions & Record<string, Json> {
  const { applyExif, maxPixels, exactResize } = options;
  return {
    ...(applyExif !== undefined && { applyExif }),
    ...(maxPixels !== undefined && { maxPixels }),
    ...(exactResize !== undefined && { exactResize }),
  };
}

/** Those of the loaders. */
export function loadingOf({ numWorkers, prefetch, device }: LoadingOptions): LoadingOptions {
  return {
    ...(numWorkers !== undefined && { numWorkers }),
    ...(prefetch !== undefined && { prefetch }),
    ...(device !== undefined && { device }),
  };
}
