/** @file The layer LayerNorm. */
import { layerNorm, ones, zeros, type Shape, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import { parameter } from "../parameter.ts";
import { checkSizes, formatOptions, placeOf, type LayerOptions } from "./layer-options.ts";

export interface LayerNormLayerOptions extends Omit<LayerOptions, "generator"> {
  /** Sizes of the last axes, over which is normalized; one number for the last axis. */
  readonly normalizedShape: number | Shape;
  /** Added to the variance. Default: 1e-5. */
  readonly eps?: number;
  /** Scale by a trained weight. Default: true. */
  readonly affine?: boolean;
  /** Shift by a trained bias, if there is a weight. Default: true. */
  readonly bias?: boolean;
}

/**
 * Normalizes the last axes of x [..., ...normalizedShape] to mean 0 and (biased) variance 1, then scales and shifts each element:
 * `(x - mean) / sqrt(variance + eps) * weight + bias`. Training and evaluation do the same.
 *
 * Source: Ba, Kiros and Hinton, arXiv 1607.06450; `torch.nn.LayerNorm`.
 */
export class LayerNorm extends Module {
  readonly normalizedShape: Shape;
  readonly eps: number;
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;

  /** @throws ArgumentError unless all sizes are whole numbers of at least 1. */
  constructor(options: LayerNormLayerOptions) {
    super();
    const { normalizedShape, eps = 1e-5, affine = true, bias = true } = options;
    const shape = typeof normalizedShape === "number" ? [normalizedShape] : [...normalizedShape];
    for (const size of shape) checkSizes("LayerNorm", { normalizedShape: size });
    this.normalizedShape = shape;
    this.eps = eps;
    if (!affine) return;
    this.weight = parameter(ones(shape, placeOf(options)));
    if (bias) this.bias = parameter(zeros(shape, placeOf(options)));
  }

  /** @throws ShapeError unless the shape of x ends in `normalizedShape`. */
  override forward(x: Tensor): Tensor {
    const { normalizedShape, weight, bias, eps } = this;
    return layerNorm(x, {
      ...(weight !== undefined && { weight }),
      ...(bias !== undefined && { bias }),
      normalizedShape,
      eps,
    });
  }

  override describe(): string {
    const { normalizedShape, eps, weight, bias } = this;
    return formatOptions({
      normalizedShape,
      eps,
      affine: weight === undefined ? false : undefined,
      bias: weight !== undefined && bias === undefined ? false : undefined,
    });
  }
}
