/** @file The layer BatchNorm2d. */
import { formatShape, ShapeError, type Tensor } from "../../engine/index.ts";
import { BatchNorm, type BatchNormLayerOptions } from "./batch-norm.ts";

/** `BatchNorm` for images [batch, height, width, numFeatures]. */
export class BatchNorm2d extends BatchNorm {
  constructor(options: BatchNormLayerOptions) {
    super("BatchNorm2d", options);
  }

  /**
   * @param residual of the shape of x, added before the activation.
   * @throws ShapeError unless x is a batch of images with `numFeatures` channels.
   */
  override forward(x: Tensor, residual?: Tensor): Tensor {
    if (x.shape.length !== 4 || x.shape[3] !== this.numFeatures) {
      throw new ShapeError(
        "BatchNorm2d",
        `x is no batch of images with numFeatures channels: ${formatShape(x.shape)} for ${this.numFeatures}`,
        "It takes [batch, height, width, numFeatures]",
      );
    }
    return this.normalize(x, residual);
  }
}
