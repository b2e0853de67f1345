/** @file The layer Linear. */
import {
  add,
  matmul,
  reshape,
  ShapeError,
  formatShape,
  zeros,
  type Tensor,
} from "../../engine/index.ts";
import { torchDefaultInit } from "../init.ts";
import { autocastInputs } from "../mixed-precision/autocast.ts";
import { Module } from "../module.ts";
import { parameter } from "../parameter.ts";
import { checkSizes, formatOptions, placeOf, type LayerOptions } from "./layer-options.ts";

export interface LinearOptions extends LayerOptions {
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Add a bias. Default: true. */
  readonly bias?: boolean;
}

/**
 * `out[..., o] = sum over i of x[..., i] * weight[o, i] + bias[o]` for x [..., inFeatures], result [..., outFeatures].
 *
 * The weight is [outFeatures, inFeatures], as PyTorch's, so checkpoints need no change; the product reads it transposed.
 * Initial values: uniform within `1 / sqrt(inFeatures)`, PyTorch's default.
 */
export class Linear extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  /** @throws ArgumentError unless both sizes are whole numbers of at least 1. */
  constructor(options: LinearOptions) {
    super();
    const { inFeatures, outFeatures, bias = true, generator } = options;
    checkSizes("Linear", { inFeatures, outFeatures });
    this.inFeatures = inFeatures;
    this.outFeatures = outFeatures;
    this.weight = parameter(zeros([outFeatures, inFeatures], placeOf(options)));
    this.bias = bias ? parameter(zeros([outFeatures], placeOf(options))) : undefined;
    torchDefaultInit(this.weight, this.bias, { generator });
  }

  /** @throws ShapeError when the last axis of x is not `inFeatures`. */
  override forward(x: Tensor): Tensor {
    const { inFeatures, outFeatures } = this;
    if (x.shape.at(-1) !== inFeatures) {
      throw new ShapeError(
        "Linear",
        `the last axis of x is not inFeatures: ${formatShape(x.shape)} for ${inFeatures}`,
        "Put a Flatten before the layer, or change inFeatures",
      );
    }
    const [input, weight, bias] = autocastInputs(x, this.weight, this.bias);
    const rows =
      input.shape.length === 2 ? input : reshape(input, [input.size / inFeatures, inFeatures]);
    const product = matmul(rows, weight, { transposeB: true });
    const out = bias === undefined ? product : add(product, bias);
    return x.shape.length === 2 ? out : reshape(out, [...x.shape.slice(0, -1), outFeatures]);
  }

  override describe(): string {
    const { inFeatures, outFeatures, bias } = this;
    return formatOptions({ inFeatures, outFeatures, bias: bias !== undefined });
  }

  override multiplyAdds(_input: readonly number[], output: readonly number[]): number {
    return output.reduce((product, size) => product * size, this.inFeatures);
  }
}
