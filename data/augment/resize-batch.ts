/** @file Brings the images of a batch to one size: what is left of `augTransforms` in validation. */
import { ArgumentError, type Tensor } from "../../engine/index.ts";
import type { BatchTransform } from "../batch-transform.ts";
import { padModes, type PadMode } from "../vision/rgb-image.ts";
import { checkImages } from "./check-images.ts";
import type { ImageSize } from "./homography.ts";
import { centralSquare, noDraws, viewOf } from "./random-views.ts";
import { sampleImages, sampleModes, type SampleMode } from "./sample-images.ts";

export interface ResizeSettings {
  readonly size: ImageSize;
  readonly mode: SampleMode;
  readonly padMode: PadMode;
  readonly alignCorners: boolean;
  /** Take the largest square in the middle, not the whole image. */
  readonly centralSquare: boolean;
}

/** Resizes images of another size; x itself when it has this one. */
export class ResizeBatch implements BatchTransform {
  readonly name = "ResizeBatch";
  readonly order = 31;
  readonly trainingOnly = false;
  readonly settings: ResizeSettings & BatchTransform["settings"];

  /** @throws ArgumentError for a size that is no whole number of pixels, or a mode that does not exist. */
  constructor(settings: ResizeSettings) {
    const { size, mode, padMode } = settings;
    const [height, width] = size;
    const fits = [height, width].every((side) => Number.isSafeInteger(side) && side >= 1);
    if (!fits || !sampleModes.includes(mode) || !padModes.includes(padMode)) {
      throw new ArgumentError(
        "ResizeBatch",
        `a setting is outside its domain: size [${size.join(", ")}], mode ${mode}, padMode ${padMode}`,
        `Use whole numbers >= 1, one of ${sampleModes.join(", ")}, and one of ${padModes.join(", ")}`,
      );
    }
    this.settings = { ...settings };
  }

  /** @throws ShapeError, DTypeError unless x is f32 [n, height, width, channels]. */
  apply(x: Tensor): Tensor {
    checkImages("augTransforms", x);
    const { size, alignCorners } = this.settings;
    const [count = 0, height = 0, width = 0] = x.shape;
    const own: ImageSize = [height, width];
    if (height === size[0] && width === size[1]) return x;
    const crop = this.settings.centralSquare ? centralSquare(own) : undefined;
    const view = viewOf({ ...noDraws, crop }, own, size, alignCorners);
    return sampleImages(x, new Array<typeof view>(count).fill(view), this.settings);
  }
}
