/**
 * @file The ResNets for CIFAR-10: three stages of 16, 32 and 64 channels on images of 32 x 32.
 *
 * Source: He, Zhang, Ren and Sun, Deep residual learning for image recognition, arXiv 1512.03385, section 4.2.
 */
import { ArgumentError, pad, slice, type Tensor } from "../../engine/index.ts";
import type { BatchNorm2d } from "../layers/batch-norm2d.ts";
import type { Conv2d } from "../layers/conv2d.ts";
import { GlobalAveragePool } from "../layers/global-average-pool.ts";
import { checkSizes, type LayerOptions } from "../layers/layer-options.ts";
import { Linear } from "../layers/linear.ts";
import { Sequential } from "../layers/sequential.ts";
import { Module } from "../module.ts";
import { runLayers } from "../run-layers.ts";
import { BasicBlock, residualConv, residualNorm, type BlockOptions } from "./resnet.ts";

/**
 * Option A of the paper: every second pixel of the image, and channels of zeros, half of the new ones on each side. It has no
 * parameters. x [batch, height, width, inChannels], result [batch, ceil(height / stride), ceil(width / stride), outChannels].
 */
export class ZeroPadShortcut extends Module {
  readonly stride: number;
  readonly newChannels: number;

  constructor(inChannels: number, outChannels: number, stride: number) {
    super();
    this.stride = stride;
    this.newChannels = outChannels - inChannels;
  }

  override forward(x: Tensor): Tensor {
    const { stride, newChannels } = this;
    const before = Math.floor(newChannels / 2);
    const subsampled = slice(x, [null, null, null], [null, null, null], [1, stride, stride]);
    return pad(subsampled, [
      [0, 0],
      [0, 0],
      [0, 0],
      [before, newChannels - before],
    ]);
  }

  override describe(): string {
    return `stride=${this.stride}, newChannels=${this.newChannels}`;
  }
}

export interface CifarResNetOptions extends LayerOptions {
  /** Default: 10. */
  readonly numClasses?: number;
  /** Channels of the images. Default: 3. */
  readonly inChannels?: number;
  /** Where shapes change: "A", subsampling and zeros, or "B", a 1 x 1 convolution with batch norm. Default: "A". */
  readonly shortcut?: "A" | "B";
}

/**
 * A stem of 3 x 3, three stages of residual blocks with 16, 32 and 64 channels, global average pooling, and a Linear: `6 n + 2` layers
 * with weights for n blocks a stage. Images [batch, height, width, inChannels] to logits [batch, numClasses].
 */
export class CifarResNet extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly layer1: Sequential;
  readonly layer2: Sequential;
  readonly layer3: Sequential;
  readonly avgpool: GlobalAveragePool;
  readonly linear: Linear;

  /** @throws ArgumentError unless depth is 6 n + 2 with n >= 1, and numClasses and inChannels are whole numbers of at least 1. */
  constructor(depth: number, options: CifarResNetOptions = {}) {
    super();
    const { numClasses = 10, inChannels = 3, shortcut = "A", device, generator } = options;
    checkSizes("CifarResNet", { numClasses, inChannels });
    const blocks = (depth - 2) / 6;
    if (!Number.isInteger(blocks) || blocks < 1) {
      throw new ArgumentError(
        "CifarResNet",
        `the depth is not 6 n + 2: ${depth}`,
        "Use 20, 32, 44, 56 or 110",
      );
    }
    const stage = (from: number, channels: number): Sequential => {
      const stride = from === channels ? 1 : 2;
      const first = { inChannels: from, channels, stride, device, generator };
      return new Sequential(
        ...Array.from({ length: blocks }, (_, i) =>
          blockOf(i === 0 ? first : { ...first, inChannels: channels, stride: 1 }, shortcut),
        ),
      );
    };
    this.conv1 = residualConv(inChannels, 16, 3, 1, options);
    this.bn1 = residualNorm(16, options);
    this.layer1 = stage(16, 16);
    this.layer2 = stage(16, 32);
    this.layer3 = stage(32, 64);
    this.avgpool = new GlobalAveragePool();
    this.linear = new Linear({ inFeatures: 64, outFeatures: numClasses, device, generator });
    this.nameTensors();
  }

  override forward(x: Tensor): Tensor {
    const { conv1, bn1, layer1, layer2, layer3, avgpool, linear } = this;
    return runLayers([conv1, bn1, layer1, layer2, layer3, avgpool, linear], x);
  }
}

function blockOf(options: BlockOptions & { stride: number }, shortcut: "A" | "B"): BasicBlock {
  const { inChannels, channels, stride } = options;
  return shortcut === "A" && inChannels !== channels
    ? new BasicBlock(options, new ZeroPadShortcut(inChannels, channels, stride))
    : new BasicBlock(options);
}

/** 20 layers: 0.27 M parameters, 41 M multiply-adds for an image of 32 x 32, 8.75 % test error in the paper. */
export function cifarResnet20(options: CifarResNetOptions = {}): CifarResNet {
  return new CifarResNet(20, options);
}

/** 32 layers: 0.46 M parameters, 7.51 % test error in the paper. */
export function cifarResnet32(options: CifarResNetOptions = {}): CifarResNet {
  return new CifarResNet(32, options);
}

/** 44 layers: 0.66 M parameters, 7.17 % test error in the paper. */
export function cifarResnet44(options: CifarResNetOptions = {}): CifarResNet {
  return new CifarResNet(44, options);
}

/** 56 layers: 0.85 M parameters, 6.97 % test error in the paper. */
export function cifarResnet56(options: CifarResNetOptions = {}): CifarResNet {
  return new CifarResNet(56, options);
}
