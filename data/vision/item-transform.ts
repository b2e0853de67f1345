/** @file Transforms of single images on the host, before they become a batch: which part of a picture goes to which size. */
import type { Json } from "../batch-transform.ts";
import type { Xoshiro128 } from "../random.ts";
import { resampleRgb } from "./resample.ts";
import { cropRgb, type Box, type PadMode, type RgbImage } from "./rgb-image.ts";

/** Sides in pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** What happens to a picture, in this order: a box is cut out of it, resized, and of the result the middle is kept. */
export interface Placement {
  /** In pixels of the source; what reaches beyond it is padded. */
  readonly box: Box;
  /** Only for a box that reaches beyond the picture. Default: "zeros". */
  readonly padMode?: PadMode;
  /** Size of the resized box. */
  readonly resized: Size;
  /** Size of the middle that is kept. Default: all. */
  readonly centre?: Size;
}

/** Where chance comes from, and whether there is any. */
export interface PlacementContext {
  readonly training: boolean;
  /** The image's own numbers: given by seed, epoch and its index alone. */
  readonly random: Xoshiro128;
}

/**
 * A transform of single images. It decides by the size alone, so that decoding, cropping and resizing can be one step, which runs
 * outside of JavaScript where possible.
 */
export interface ItemTransform {
  /** For summaries and exported models, for example `"Resize"`. */
  readonly name: string;
  /** What it was made with; enough to make it again. */
  readonly settings: Readonly<Record<string, Json>>;
  place(source: Size, context: PlacementContext): Placement;
}

/** Carries out a placement, bit for bit as PIL would. */
export function placeRgb(image: RgbImage, { box, padMode, resized, centre }: Placement): RgbImage {
  const whole =
    box.left === 0 && box.top === 0 && box.width === image.width && box.height === image.height;
  const cut = whole ? image : cropRgb(image, box, padMode);
  const result = resampleRgb(cut, resized.height, resized.width);
  return centre === undefined ? result : cropRgb(result, centreBox(resized, centre));
}

/** The middle of a picture; an odd pixel that is left goes to the right and below. */
export function centreBox(size: Size, centre: Size): Box {
  return {
    left: Math.trunc((size.width - centre.width) / 2),
    top: Math.trunc((size.height - centre.height) / 2),
    ...{ width: centre.width, height: centre.height },
  };
}
