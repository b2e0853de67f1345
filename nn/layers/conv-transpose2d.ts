/** @file The layer ConvTranspose2d. */
import { conv2dTranspose, zeros, type Size2d, type Tensor } from "../../engine/index.ts";
import { torchDefaultInit } from "../init.ts";
import { autocastInputs } from "../mixed-precision/autocast.ts";
import { Module } from "../module.ts";
import { parameter } from "../parameter.ts";
import { convTorchAxes, describeConvolution } from "./conv2d.ts";
import {
  checkGroups,
  formatSize,
  heightAndWidth,
  placeOf,
  type LayerOptions,
} from "./layer-options.ts";

export interface ConvTranspose2dLayerOptions extends LayerOptions {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: Size2d;
  /** Output pixels from one input pixel to the next. Default: 1. */
  readonly stride?: Size2d;
  /** Rows and columns cut off on each side of the result. Default: 0. */
  readonly padding?: Size2d;
  /** Rows and columns added at the bottom and the right; below the stride or the dilation. Default: 0. */
  readonly outputPadding?: Size2d;
  /** From one element of the kernel to the next. Default: 1. */
  readonly dilation?: Size2d;
  /** Parts into which the channels are cut. Default: 1. */
  readonly groups?: number;
  /** Add a bias. Default: true. */
  readonly bias?: boolean;
}

/**
 * The transposed convolution, which spreads each pixel of x [batch, height, width, inChannels] over a window of the result [batch,
 * outHeight, outWidth, outChannels]: the input gradient of a Conv2d from `outChannels` to `inChannels`. The weight is
 * [kernelHeight, kernelWidth, outChannels / groups, inChannels].
 *
 *     outHeight = (height - 1) stride - 2 padding + dilation (kernelHeight - 1) + outputPadding + 1
 *
 * Source: `torch.nn.ConvTranspose2d`, its initial values included.
 */
export class ConvTranspose2d extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly [height: number, width: number];
  readonly stride: Size2d;
  readonly padding: Size2d;
  readonly outputPadding: Size2d;
  readonly dilation: Size2d;
  readonly groups: number;
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  /** @throws ArgumentError for sizes that are not whole, or groups that do not divide the channels. */
  constructor(options: ConvTranspose2dLayerOptions) {
    super();
    const { inChannels, outChannels, kernelSize, bias = true, generator } = options;
    const { stride = 1, padding = 0, outputPadding = 0, dilation = 1, groups = 1 } = options;
    const layer = "ConvTranspose2d";
    checkGroups(layer, groups, inChannels, outChannels);
    const kernel = heightAndWidth(layer, "kernelSize", kernelSize, 1);
    heightAndWidth(layer, "stride", stride, 1);
    heightAndWidth(layer, "dilation", dilation, 1);
    heightAndWidth(layer, "padding", padding, 0);
    heightAndWidth(layer, "outputPadding", outputPadding, 0);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernel;
    this.stride = stride;
    this.padding = padding;
    this.outputPadding = outputPadding;
    this.dilation = dilation;
    this.groups = groups;
    const shape = [...kernel, outChannels / groups, inChannels];
    this.weight = parameter(zeros(shape, placeOf(options)), { torchAxes: convTorchAxes });
    this.bias = bias ? parameter(zeros([outChannels], placeOf(options))) : undefined;
    torchDefaultInit(this.weight, this.bias, { generator });
  }

  /** @throws ShapeError unless x is a batch of images of `inChannels` channels. */
  override forward(x: Tensor): Tensor {
    const { stride, padding, outputPadding, dilation, groups } = this;
    const options = { stride, padding, outputPadding, dilation, groups };
    const [input, weight, bias] = autocastInputs(x, this.weight, this.bias);
    return conv2dTranspose(input, weight, bias === undefined ? options : { ...options, bias });
  }

  override describe(): string {
    const { outputPadding } = this;
    const usual = describeConvolution(this);
    return outputPadding === 0 ? usual : `${usual}, outputPadding=${formatSize(outputPadding)}`;
  }

  /** Each input number takes one multiply-add for each weight that its group has for it. */
  override multiplyAdds(input: readonly number[]): number {
    return input.reduce((product, size) => product * size, this.weight.size / this.inChannels);
  }
}
