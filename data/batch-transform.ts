/** @file Transforms of a whole batch on the device, after its images were decoded and brought to one size. */
import type { Tensor } from "../engine/index.ts";
import type { Xoshiro128 } from "./random.ts";

/** What can be written to a JSON file. */
export type Json =
  null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** Changes the images of a batch. Source of the idea and of the orders: fastai, `Transform.order`. */
export interface BatchTransform {
  /** For summaries and exported models, for example `"Normalize"`. */
  readonly name: string;
  /** Transforms run in ascending order: affine 30, lighting 40, normalize 99, erasing 100. */
  readonly order: number;
  /** Leaves batches of validation and prediction alone. */
  readonly trainingOnly: boolean;
  /** Channels of its result, where it changes them. Default: those of x. */
  readonly outChannels?: number;
  /** What it was made with; enough to make it again. */
  readonly settings: Readonly<Record<string, Json>>;
  /**
   * @param x images [n, height, width, channels], f32, pixels from 0 to 1 until they are normalized.
   * @param random the only source of chance, so that an epoch can be repeated.
   * @returns a new tensor, or x itself.
   */
  apply(x: Tensor, random: Xoshiro128): Tensor;
}
