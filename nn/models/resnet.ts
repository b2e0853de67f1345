/**
 * @file ResNet-18, -34 and -50 as torchvision has them: the same names, shapes, parameters and initial distributions, so its
 * checkpoints load.
 *
 * Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, arXiv 1512.03385; torchvision/models/resnet.py,
 * whose bottlenecks have their stride in the 3 x 3 convolution.
 */
import type { Tensor } from "../../engine/index.ts";
import { kaimingNormal } from "../init.ts";
import { BatchNorm2d } from "../layers/batch-norm2d.ts";
import { Conv2d } from "../layers/conv2d.ts";
import { GlobalAveragePool } from "../layers/global-average-pool.ts";
import { checkSizes, type LayerOptions } from "../layers/layer-options.ts";
import { Linear } from "../layers/linear.ts";
import { MaxPool2d } from "../layers/max-pool2d.ts";
import { Sequential } from "../layers/sequential.ts";
import { Module } from "../module.ts";
import { runLayers } from "../run-layers.ts";
import { published } from "../vision/pretrained.ts";
import { withPretrained, type PretrainedOption } from "../vision/whole-network.ts";

/** The shape of a residual block. */
export interface BlockOptions extends LayerOptions {
  readonly inChannels: number;
  /** Channels of the 3 x 3 convolutions. */
  readonly channels: number;
  /** Of the first 3 x 3 convolution. Default: 1. */
  readonly stride?: number;
}

/** A convolution of a ResNet: no bias, because batch norm follows, and Kaiming-normal weights by the fan out. */
export function residualConv(
  inChannels: number,
  outChannels: number,
  kernelSize: number,
  stride: number,
  place: LayerOptions,
): Conv2d {
  const { device, generator } = place;
  const padding = (kernelSize - 1) / 2;
  return new Conv2d({
    ...{ inChannels, outChannels, kernelSize, stride, padding, bias: false, device, generator },
    weightInit: (weight) => {
      kaimingNormal(weight, { mode: "fanOut", nonlinearity: "relu", generator });
    },
  });
}

/** Batch norm with the ReLU behind it in the same kernel. */
export function residualNorm(numFeatures: number, { device }: LayerOptions): BatchNorm2d {
  return new BatchNorm2d({ numFeatures, activation: "relu", device });
}

/** What brings the input of a block to the shape of its result; undefined where the shapes agree. */
function downsampleOf(outChannels: number, options: BlockOptions): Sequential | undefined {
  const { inChannels, stride = 1 } = options;
  if (stride === 1 && inChannels === outChannels) return undefined;
  return new Sequential(
    residualConv(inChannels, outChannels, 1, stride, options),
    // No ReLU: the one behind the sum is that of the block.
    new BatchNorm2d({ numFeatures: outChannels, device: options.device }),
  );
}

/**
 * `relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x))`: two 3 x 3 convolutions; x [batch, height, width, inChannels], result
 * [batch, height / stride, width / stride, channels].
 */
export class BasicBlock extends Module {
  /** Channels of the result for each of `channels`. */
  static readonly expansion = 1;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Module | undefined;

  /** @param shortcut what x goes through beside the convolutions. Default: a 1 x 1 convolution where shapes change. */
  constructor(options: BlockOptions, shortcut?: Module) {
    super();
    const { inChannels, channels, stride = 1 } = options;
    this.conv1 = residualConv(inChannels, channels, 3, stride, options);
    this.bn1 = residualNorm(channels, options);
    this.conv2 = residualConv(channels, channels, 3, 1, options);
    this.bn2 = residualNorm(channels, options);
    this.downsample = shortcut ?? downsampleOf(channels, options);
  }

  override forward(x: Tensor): Tensor {
    const inner = this.bn1.forward(this.conv1.forward(x));
    const shortcut = this.downsample?.forward(x) ?? x;
    return this.bn2.forward(this.conv2.forward(inner), shortcut);
  }
}

/**
 * `relu(bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x))))))) + shortcut(x))`: 1 x 1 to few channels, 3 x 3, 1 x 1 to four times as many; x
 * [batch, height, width, inChannels], result [batch, height / stride, width / stride, 4 * channels].
 */
export class Bottleneck extends Module {
  /** Channels of the result for each of `channels`. */
  static readonly expansion = 4;
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Module | undefined;

  constructor(options: BlockOptions) {
    super();
    const { inChannels, channels, stride = 1 } = options;
    const outChannels = channels * Bottleneck.expansion;
    this.conv1 = residualConv(inChannels, channels, 1, 1, options);
    this.bn1 = residualNorm(channels, options);
    this.conv2 = residualConv(channels, channels, 3, stride, options);
    this.bn2 = residualNorm(channels, options);
    this.conv3 = residualConv(channels, outChannels, 1, 1, options);
    this.bn3 = residualNorm(outChannels, options);
    this.downsample = downsampleOf(outChannels, options);
  }

  override forward(x: Tensor): Tensor {
    const narrow = this.bn1.forward(this.conv1.forward(x));
    const spatial = this.bn2.forward(this.conv2.forward(narrow));
    const shortcut = this.downsample?.forward(x) ?? x;
    return this.bn3.forward(this.conv3.forward(spatial), shortcut);
  }
}

/** A class of blocks. */
export interface BlockClass {
  /** Channels of the result for each of `channels`. */
  readonly expansion: number;
  new (options: BlockOptions): Module;
}

export interface ResNetOptions extends LayerOptions {
  /** Default: 1000, those of ImageNet. */
  readonly numClasses?: number;
  /** Channels of the images. Default: 3. */
  readonly inChannels?: number;
}

/**
 * The ResNets for ImageNet: images [batch, height, width, inChannels], 224 x 224 in the paper, to logits [batch, numClasses].
 *
 * Convolutions start with `N(0, 2 / fanOut)`, batch norms with 1 and 0, the last layer with PyTorch's default.
 */
export class ResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly maxpool: MaxPool2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly layer4: Sequential;
  readonly avgpool: GlobalAveragePool;
  readonly fc: Linear;

  /**
   * @param blocks how many blocks each of the four layers has.
   * @throws ArgumentError unless numClasses and inChannels are whole numbers of at least 1.
   */
  constructor(
    block: BlockClass,
    blocks: readonly [number, number, number, number],
    options: ResNetOptions = {},
  ) {
    super();
    const { numClasses = 1000, inChannels = 3, device, generator } = options;
    checkSizes("ResNet", { numClasses, inChannels });
    const stage = (position: 0 | 1 | 2 | 3, channels: number): Sequential =>
      residualStage(block, blocks[position], {
        inChannels: position === 0 ? 64 : (channels / 2) * block.expansion,
        channels,
        stride: position === 0 ? 1 : 2,
        device,
        generator,
      });
    this.conv1 = residualConv(inChannels, 64, 7, 2, options);
    this.bn1 = residualNorm(64, options);
    this.maxpool = new MaxPool2d({ kernelSize: 3, stride: 2, padding: 1 });
    this.layer1 = stage(0, 64);
    this.layer2 = stage(1, 128);
    this.layer3 = stage(2, 256);
    this.layer4 = stage(3, 512);
    this.avgpool = new GlobalAveragePool();
    const inFeatures = 512 * block.expansion;
    this.fc = new Linear({ inFeatures, outFeatures: numClasses, device, generator });
    this.nameTensors();
  }

  override forward(x: Tensor): Tensor {
    const { conv1, bn1, maxpool, layer1, layer2, layer3, layer4, avgpool, fc } = this;
    return runLayers([conv1, bn1, maxpool, layer1, layer2, layer3, layer4, avgpool, fc], x);
  }
}

/** `count` blocks, of which the first changes the channels and has the stride. */
function residualStage(block: BlockClass, count: number, first: BlockOptions): Sequential {
  const { channels, device, generator } = first;
  const following = { inChannels: channels * block.expansion, channels, device, generator };
  return new Sequential(
    ...Array.from({ length: count }, (_, i) => new block(i === 0 ? first : following)),
  );
}

/** ResNet-18: 11,689,512 parameters with 1000 classes, 1.8 G multiply-adds for an image of 224 x 224. Errors as of `ResNet` and `PretrainedOption`. */
export function resnet18(options: ResNetOptions & PretrainedOption = {}): ResNet {
  return withPretrained(published.resnet18, new ResNet(BasicBlock, [2, 2, 2, 2], options), options);
}

/** ResNet-34: 21,797,672 parameters with 1000 classes, 3.7 G multiply-adds for an image of 224 x 224. Errors as of `ResNet` and `PretrainedOption`. */
export function resnet34(options: ResNetOptions & PretrainedOption = {}): ResNet {
  return withPretrained(published.resnet34, new ResNet(BasicBlock, [3, 4, 6, 3], options), options);
}

/** ResNet-50: 25,557,032 parameters with 1000 classes, 4.1 G multiply-adds for an image of 224 x 224. Errors as of `ResNet` and `PretrainedOption`. */
export function resnet50(options: ResNetOptions & PretrainedOption = {}): ResNet {
  return withPretrained(published.resnet50, new ResNet(Bottleneck, [3, 4, 6, 3], options), options);
}
