/** @file The layer BatchNorm1d. */
import { formatShape, ShapeError, type Tensor } from "../../engine/index.ts";
import { BatchNorm, type BatchNormLayerOptions } from "./batch-norm.ts";

/** `BatchNorm` for vectors [batch, numFeatures] or sequences [batch, length, numFeatures]. */
export class BatchNorm1d extends BatchNorm {
  constructor(options: BatchNormLayerOptions) {
    super("BatchNorm1d", options);
  }

  /**
   * @param residual of the shape of x, added before the activation.
   * @throws ShapeError unless x has two or three axes, the last of them `numFeatures` long.
   */
  override forward(x: Tensor, residual?: Tensor): Tensor {
    const rank = x.shape.length;
    if ((rank !== 2 && rank !== 3) || x.shape.at(-1) !== this.numFeatures) {
      throw new ShapeError(
        "BatchNorm1d",
        `x is no batch of vectors of numFeatures: ${formatShape(x.shape)} for ${this.numFeatures}`,
        "It takes [batch, numFeatures] or [batch, length, numFeatures]",
      );
    }
    return this.normalize(x, residual);
  }
}
