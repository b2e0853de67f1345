/** @file The layer AdaptiveConcatPool2d. */
import { adaptiveAvgPool2d, adaptiveMaxPool2d, concat, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";

/**
 * `out = [max over all pixels, mean over all pixels]` along the channels: x [batch, height, width, channels], result [batch, 1, 1,
 * 2 * channels]. The maximum says whether a feature is anywhere, the mean how much of it there is. Source: fastai's layer of this
 * name, which has the maximum first, too.
 */
export class AdaptiveConcatPool2d extends Module {
  /** @throws ShapeError unless x is a batch of images. */
  override forward(x: Tensor): Tensor {
    return concat([adaptiveMaxPool2d(x, 1), adaptiveAvgPool2d(x, 1)], -1);
  }
}
