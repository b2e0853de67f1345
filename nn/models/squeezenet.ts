/**
 * @file SqueezeNet 1.0 with torchvision's names, shapes and initial distributions, so its checkpoints load.
 *
 * Source: Iandola, Han, Moskewicz, Ashraf, Dally and Keutzer, SqueezeNet: AlexNet-level accuracy with 50x fewer parameters, arXiv
 * 1602.07360, table 1; torchvision/models/squeezenet.py.
 */
import { concat, flatten, relu, type Tensor } from "../../engine/index.ts";
import { constant, kaimingUniform, normal, type Initializer } from "../init.ts";
import { AdaptiveAvgPool2d } from "../layers/adaptive-avg-pool2d.ts";
import { Conv2d, type Conv2dLayerOptions } from "../layers/conv2d.ts";
import { Dropout } from "../layers/dropout.ts";
import { checkSizes, type LayerOptions } from "../layers/layer-options.ts";
import { MaxPool2d } from "../layers/max-pool2d.ts";
import { ReLU } from "../layers/relu.ts";
import { Sequential } from "../layers/sequential.ts";
import { Module } from "../module.ts";
import { runLayers } from "../run-layers.ts";
import { renamedSource } from "../vision/prepare-pretrained.ts";
import { published } from "../vision/pretrained.ts";
import { checkState, withPretrained, type PretrainedOption } from "../vision/whole-network.ts";

/** A convolution whose bias starts at 0; the weight by default Kaiming-uniform by the fan in. */
function biasedConv(options: Conv2dLayerOptions): Conv2d {
  const { generator } = options;
  const weightInit: Initializer = (weight) => {
    kaimingUniform(weight, { generator });
  };
  const layer = new Conv2d({ weightInit, ...options });
  if (layer.bias !== undefined) constant(layer.bias, 0);
  return layer;
}

/** Channels of a fire module. */
export interface FireOptions extends LayerOptions {
  readonly inChannels: number;
  /** Channels between the two steps. */
  readonly squeeze: number;
  /** Channels of the result that a 1 x 1 convolution makes, and as many that a 3 x 3 one makes. */
  readonly expand: number;
}

/**
 * `s = relu(squeeze(x))`, `out = relu([expand1x1(s), expand3x3(s)])`: few channels, then many, half of them with a view of the
 * neighbours; x [batch, height, width, inChannels], result [batch, height, width, 2 * expand].
 */
export class Fire extends Module {
  readonly squeeze: Conv2d;
  readonly expand1x1: Conv2d;
  readonly expand3x3: Conv2d;

  constructor({ inChannels, squeeze, expand, device, generator }: FireOptions) {
    super();
    const place = { device, generator };
    const wide = { inChannels: squeeze, outChannels: expand, ...place };
    this.squeeze = biasedConv({ inChannels, outChannels: squeeze, kernelSize: 1, ...place });
    this.expand1x1 = biasedConv({ ...wide, kernelSize: 1 });
    this.expand3x3 = biasedConv({ ...wide, kernelSize: 3, padding: 1 });
  }

  override forward(x: Tensor): Tensor {
    const squeezed = relu(this.squeeze.forward(x));
    // One ReLU for both parts: it acts on each number by itself.
    return relu(concat([this.expand1x1.forward(squeezed), this.expand3x3.forward(squeezed)], -1));
  }
}

export interface SqueezeNetOptions extends LayerOptions {
  /** Default: 1000, those of ImageNet. */
  readonly numClasses?: number;
  /** Channels of the images. Default: 3. */
  readonly inChannels?: number;
  /**
   * Pixels of zeros around the last convolution, a 1 x 1 one. torchvision has none; the authors' Caffe model, and so the Deep
   * Compression weights, have 1: pixels that hold the bias alone then join the average. Default: 0.
   */
  readonly classifierPadding?: number;
  /** The probability of the dropout before the last convolution. Default: 0.5. */
  readonly dropout?: number;
}

/**
 * Images [batch, height, width, inChannels], of at least 21 x 21, to logits [batch, numClasses], none of them below 0: the last
 * convolution has a ReLU behind it, then comes the average over all pixels.
 *
 * Convolutions start Kaiming-uniform, the last one with `N(0, 0.01^2)`, biases with 0. Max pools are in ceil mode.
 */
export class SqueezeNet extends Module {
  readonly features: Sequential;
  readonly classifier: Sequential;

  /** @throws ArgumentError unless numClasses and inChannels are whole numbers of at least 1. */
  constructor(options: SqueezeNetOptions = {}) {
    super();
    const { numClasses = 1000, inChannels = 3, dropout = 0.5 } = options;
    checkSizes("SqueezeNet", { numClasses, inChannels });
    this.features = featuresOf(inChannels, options);
    this.classifier = new Sequential(
      new Dropout({ p: dropout, ...(options.generator && { generator: options.generator }) }),
      lastConv(numClasses, options),
      new ReLU(),
      new AdaptiveAvgPool2d(),
    );
    this.nameTensors();
  }

  override forward(x: Tensor): Tensor {
    return flatten(runLayers([this.features, this.classifier], x), 1);
  }
}

function featuresOf(inChannels: number, { device, generator }: LayerOptions): Sequential {
  const place = { device, generator };
  const pool = () => new MaxPool2d({ kernelSize: 3, stride: 2, ceilMode: true });
  const fire = (from: number, squeeze: number, expand: number) =>
    new Fire({ inChannels: from, squeeze, expand, ...place });
  return new Sequential(
    biasedConv({ inChannels, outChannels: 96, kernelSize: 7, stride: 2, ...place }),
    new ReLU(),
    pool(),
    fire(96, 16, 64),
    fire(128, 16, 64),
    fire(128, 32, 128),
    pool(),
    fire(256, 32, 128),
    fire(256, 48, 192),
    fire(384, 48, 192),
    fire(384, 64, 256),
    pool(),
    fire(512, 64, 256),
  );
}

function lastConv(numClasses: number, options: SqueezeNetOptions): Conv2d {
  const { classifierPadding = 0, device, generator } = options;
  return biasedConv({
    ...{ inChannels: 512, outChannels: numClasses, kernelSize: 1, padding: classifierPadding },
    ...{ device, generator },
    weightInit: (weight) => {
      normal(weight, 0, 0.01, generator === undefined ? {} : { generator });
    },
  });
}

/**
 * SqueezeNet 1.0: 1,248,424 parameters with 1000 classes, 0.82 G multiply-adds for an image of 224 x 224. With `pretrained`,
 * `classifierPadding` is by default that of the weights. Errors as of `SqueezeNet` and `PretrainedOption`.
 */
export function squeezenet1_0(options: SqueezeNetOptions & PretrainedOption = {}): SqueezeNet {
  const { pretrained } = options;
  if (pretrained === undefined) return new SqueezeNet(options);
  checkState("squeezenet1_0", "squeezenet1_0", pretrained);
  const { classifierPadding = 0 } = renamedSource(published.squeezenet1_0, pretrained) ?? {};
  const model = new SqueezeNet({ classifierPadding, ...options });
  return withPretrained(published.squeezenet1_0, model, options);
}
