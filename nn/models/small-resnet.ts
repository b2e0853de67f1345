/** @file The small residual network that `npm start` trains on MNIST. */
import { ArgumentError, type Tensor } from "../../engine/index.ts";
import type { BatchNorm2d } from "../layers/batch-norm2d.ts";
import type { Conv2d } from "../layers/conv2d.ts";
import { GlobalAveragePool } from "../layers/global-average-pool.ts";
import { checkSizes, type LayerOptions } from "../layers/layer-options.ts";
import { Linear } from "../layers/linear.ts";
import { Sequential } from "../layers/sequential.ts";
import { Module } from "../module.ts";
import { runLayers } from "../run-layers.ts";
import { BasicBlock, residualConv, residualNorm } from "./resnet.ts";

export interface SmallResNetOptions extends LayerOptions {
  /** Default: 10. */
  readonly numClasses?: number;
  /** Channels of the images. Default: 1. */
  readonly inChannels?: number;
  /** Channels of the stem, then of each residual block; every block halves the image. Default: [16, 32, 64]. */
  readonly channels?: readonly number[];
}

/**
 * A 5 x 5 stem of stride 2, one residual block of stride 2 for each further number of channels, global average pooling, and a Linear.
 * Images [batch, height, width, inChannels], made for 28 x 28, to logits [batch, numClasses].
 */
export class SmallResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly blocks: Sequential;
  readonly avgpool: GlobalAveragePool;
  readonly fc: Linear;

  /** @throws ArgumentError unless there is at least one number of channels, and all sizes are whole numbers of at least 1. */
  constructor(options: SmallResNetOptions = {}) {
    super();
    const { numClasses = 10, inChannels = 1, channels = [16, 32, 64], device, generator } = options;
    const [stem, ...rest] = channels;
    if (stem === undefined) {
      throw new ArgumentError(
        "SmallResNet",
        "there are no channels: []",
        "Pass for example [16, 32, 64]",
      );
    }
    checkSizes("SmallResNet", { numClasses, inChannels });
    this.conv1 = residualConv(inChannels, stem, 5, 2, options);
    this.bn1 = residualNorm(stem, options);
    this.blocks = new Sequential(
      ...rest.map((count, i) => {
        const from = channels[i] ?? stem;
        return new BasicBlock({ inChannels: from, channels: count, stride: 2, device, generator });
      }),
    );
    this.avgpool = new GlobalAveragePool();
    const inFeatures = channels.at(-1) ?? stem;
    this.fc = new Linear({ inFeatures, outFeatures: numClasses, device, generator });
    this.nameTensors();
  }

  override forward(x: Tensor): Tensor {
    return runLayers([this.conv1, this.bn1, this.blocks, this.avgpool, this.fc], x);
  }
}
