/** @file What transforms of batches on the device take. */
import { DTypeError, formatShape, ShapeError, type Tensor } from "../../engine/index.ts";

/** @throws ShapeError or DTypeError unless x is f32 [n, height, width, channels]. */
export function checkImages(op: string, x: Tensor): void {
  if (x.shape.length !== 4 || x.shape.slice(1).some((size) => size === 0)) {
    throw new ShapeError(
      op,
      `these are no images: ${formatShape(x.shape)}`,
      "Pass [n, height, width, channels]",
    );
  }
  if (x.dtype === "f32") return;
  throw new DTypeError(op, `images are f32, not ${x.dtype}: ${x.toString()}`, 'Use cast(x, "f32")');
}
