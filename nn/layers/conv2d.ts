/** @file The layer Conv2d. */
import { conv2d, zeros, type Conv2dPadding, type Size2d, type Tensor } from "../../engine/index.ts";
import { defaultBiasInit, torchDefaultInit, type Initializer } from "../init.ts";
import { autocastInputs } from "../mixed-precision/autocast.ts";
import { Module } from "../module.ts";
import { parameter } from "../parameter.ts";
import {
  checkGroups,
  checkPadding,
  formatOptions,
  heightAndWidth,
  placeOf,
  type LayerOptions,
} from "./layer-options.ts";

export interface Conv2dLayerOptions extends LayerOptions {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: Size2d;
  /** From one output pixel to the next. Default: 1. */
  readonly stride?: Size2d;
  /**
   * Rows and columns of zeros on each side; `[top, bottom, left, right]`; or "same", which makes the result `ceil(size / stride)`.
   * Default: 0.
   */
  readonly padding?: Conv2dPadding;
  /** From one element of the kernel to the next. Default: 1. */
  readonly dilation?: Size2d;
  /** Parts into which the channels are cut; each output part sees one input part. Default: 1. */
  readonly groups?: number;
  /** Add a bias. Default: true. */
  readonly bias?: boolean;
  /** Initial values of the weight. Default: PyTorch's, uniform within `1 / sqrt(fanIn)`. */
  readonly weightInit?: Initializer | undefined;
}

/** [kernelHeight, kernelWidth, in, out] to PyTorch's [out, in, kernelHeight, kernelWidth]. */
export const convTorchAxes = [3, 2, 0, 1] as const;

/**
 * Cross-correlation of x [batch, height, width, inChannels] with weight [kernelHeight, kernelWidth, inChannels / groups,
 * outChannels]; the result is [batch, outHeight, outWidth, outChannels].
 *
 *     out[n, y, x, o] = bias[o] + sum over r, s, c of x[n, y stride - padding + r dilation, ...s, c] * weight[r, s, c, o]
 *     outHeight = floor((height + 2 padding - dilation (kernelHeight - 1) - 1) / stride) + 1
 *
 * Source: `torch.nn.Conv2d`, whose [out, in, height, width] weights `exportStateDict` and `importStateDict` speak.
 */
export class Conv2d extends Module {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly [height: number, width: number];
  readonly stride: Size2d;
  readonly padding: Conv2dPadding;
  readonly dilation: Size2d;
  readonly groups: number;
  readonly weight: Tensor;
  readonly bias: Tensor | undefined;

  /** @throws ArgumentError for sizes that are not whole, or groups that do not divide the channels. */
  constructor(options: Conv2dLayerOptions) {
    super();
    const { inChannels, outChannels, kernelSize, bias = true, weightInit, generator } = options;
    const { stride = 1, padding = 0, dilation = 1, groups = 1 } = options;
    checkGroups("Conv2d", groups, inChannels, outChannels);
    const kernel = heightAndWidth("Conv2d", "kernelSize", kernelSize, 1);
    heightAndWidth("Conv2d", "stride", stride, 1);
    heightAndWidth("Conv2d", "dilation", dilation, 1);
    checkPadding("Conv2d", padding);
    this.inChannels = inChannels;
    this.outChannels = outChannels;
    this.kernelSize = kernel;
    this.stride = stride;
    this.padding = padding;
    this.dilation = dilation;
    this.groups = groups;
    const shape = [...kernel, inChannels / groups, outChannels];
    this.weight = parameter(zeros(shape, placeOf(options)), { torchAxes: convTorchAxes });
    this.bias = bias ? parameter(zeros([outChannels], placeOf(options))) : undefined;
    if (weightInit === undefined) {
      torchDefaultInit(this.weight, this.bias, { generator });
    } else {
      weightInit(this.weight);
      const fanIn = (kernel[0] * kernel[1] * inChannels) / groups;
      if (this.bias !== undefined) defaultBiasInit(this.bias, fanIn, { generator });
    }
  }

  /** @throws ShapeError unless x is a batch of images of `inChannels` channels that the kernel fits into. */
  override forward(x: Tensor): Tensor {
    const { stride, padding, dilation, groups } = this;
    const options = { stride, padding, dilation, groups };
    const [input, weight, bias] = autocastInputs(x, this.weight, this.bias);
    return conv2d(input, weight, bias === undefined ? options : { ...options, bias });
  }

  override describe(): string {
    return describeConvolution(this);
  }

  /** Each output number takes one multiply-add for each weight that its group has for it. */
  override multiplyAdds(_input: readonly number[], output: readonly number[]): number {
    const perOutput = this.weight.size / this.outChannels;
    return output.reduce((product, size) => product * size, perOutput);
  }
}

/** The options of a convolution that are not the usual ones. */
export function describeConvolution(layer: {
  readonly inChannels: number;
  readonly outChannels: number;
  readonly kernelSize: readonly [height: number, width: number];
  readonly stride: Size2d;
  readonly padding: Conv2dPadding;
  readonly dilation: Size2d;
  readonly groups: number;
  readonly bias: Tensor | undefined;
}): string {
  const { inChannels, outChannels, kernelSize, stride, padding, dilation, groups, bias } = layer;
  return formatOptions({
    inChannels,
    outChannels,
    kernelSize: kernelSize[0] === kernelSize[1] ? kernelSize[0] : kernelSize,
    stride,
    padding: padding === 0 ? undefined : padding,
    dilation: dilation === 1 ? undefined : dilation,
    groups: groups === 1 ? undefined : groups,
    bias: bias === undefined ? false : undefined,
  });
}
