/** @file CutMix: training on images with a box of another image. */
import { formatShape, ShapeError, type Tensor } from "../../engine/index.ts";
import { drawBeta } from "./beta-distribution.ts";
import { MixCallback, type Mix, type MixOptions } from "./mix-callback.ts";

/**
 * Puts a box of a random other image of the batch into each image, the same box for the whole batch: with l of Beta(alpha, alpha), alpha 1 by
 * default, its sides are sqrt(1 - l) times those of the image, its middle anywhere, and it is cut off at the edges. Targets are weighed by the
 * areas that are seen. See `MixCallback` for what it needs of the loss. For inputs [n, height, width, channels].
 *
 * Source: arXiv 1905.04899; fastai, CutMix.
 */
export class CutMix extends MixCallback {
  readonly #alpha: number;

  /** @throws ArgumentError unless alpha is a finite number above 0, and for an impossible seed. */
  constructor({ alpha = 1, seed = 0 }: MixOptions = {}) {
    super("CutMix", alpha, seed);
    this.#alpha = alpha;
  }

  protected override draw({ shape }: Tensor): Mix {
    const [count = 0, height = 0, width = 0] = shape;
    if (shape.length !== 4) {
      throw new ShapeError(
        "CutMix",
        `the inputs are no images: ${formatShape(shape)}`,
        "Pass [n, height, width, channels], or use MixUp",
      );
    }
    const side = Math.sqrt(1 - drawBeta(this.#alpha, this.uniform));
    const [firstRow, endRow] = this.#stretch(side, height);
    const [firstColumn, endColumn] = this.#stretch(side, width);
    const area = (endRow - firstRow) * (endColumn - firstColumn);
    const weights = new Array<number>(count).fill(1 - area / (height * width));
    return { weights, box: { firstRow, endRow, firstColumn, endColumn } };
  }

  /** First and end of a stretch of this part of `size`, its middle anywhere. */
  #stretch(part: number, size: number): [number, number] {
    const half = Math.floor(Math.round(size * part) / 2);
    const middle = Math.floor(this.uniform() * size);
    return [Math.max(middle - half, 0), Math.min(middle + half, size)];
  }
}
