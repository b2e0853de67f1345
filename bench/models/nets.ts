/** @file The nets whose steps are measured, with their images. */
import { cifarResnet20, resnet34, SGD, SmallResNet, type Module } from "../../nn/index.ts";
import {
  backward,
  capture,
  crossEntropy,
  noGrad,
  randomInteger,
  randomNormal,
  type CapturedStep,
  type Device,
  type Tensor,
} from "../../engine/index.ts";

/** A net at work on one batch of random images. */
export interface NetCase {
  readonly net: string;
  readonly mode: "training" | "inference";
  readonly batch: number;
  /** Side of the square images. */
  readonly imageSize: number;
  readonly channels: number;
  readonly numClasses: number;
  build(device: Device): Module;
}

type Size = Pick<NetCase, "batch" | "imageSize">;

const resnet = (mode: NetCase["mode"], { batch, imageSize }: Size): NetCase => ({
  ...{ net: "ResNet-34", mode, batch, imageSize, channels: 3, numClasses: 10 },
  build: (device) => resnet34({ numClasses: 10, device }),
});

const cifar = (mode: NetCase["mode"]): NetCase => ({
  ...{ net: "CIFAR ResNet-20", mode, batch: 64, imageSize: 32, channels: 3, numClasses: 10 },
  build: (device) => cifarResnet20({ device }),
});

const small = (mode: NetCase["mode"]): NetCase => ({
  ...{ net: "SmallResNet", mode, batch: 64, imageSize: 28, channels: 1, numClasses: 10 },
  build: (device) => new SmallResNet({ device }),
});

/** The batches and image sizes between which the time must grow in proportion. */
export const netCases: readonly NetCase[] = [
  resnet("training", { batch: 8, imageSize: 64 }),
  resnet("training", { batch: 64, imageSize: 64 }),
  resnet("training", { batch: 8, imageSize: 128 }),
  resnet("training", { batch: 8, imageSize: 224 }),
  resnet("inference", { batch: 8, imageSize: 224 }),
  resnet("inference", { batch: 1, imageSize: 224 }),
  cifar("training"),
  small("training"),
  small("inference"),
];

/** A net with a batch: `step` records one training step or one forward pass. */
export interface Running {
  readonly step: () => Tensor;
  /** The same, replayed from the third call on. */
  readonly batch: readonly [images: Tensor, labels: Tensor];
  readonly replayed: CapturedStep<readonly [Tensor, Tensor], Tensor>;
  /** Records forward pass and loss alone, with the graph for backward. */
  readonly loss: () => Tensor;
  readonly parameters: readonly Tensor[];
}

export function start(device: Device, net: NetCase): Running {
  const { batch, imageSize, channels, numClasses, mode } = net;
  const model = net.build(device);
  const images = randomNormal([batch, imageSize, imageSize, channels], { device });
  const labels = randomInteger([batch], 0, numClasses, { device });
  const parameters = [...model.parameters()];
  const optimizer = new SGD(parameters, { lr: 1e-3, momentum: 0.9 });
  const lossOf = (x: Tensor, y: Tensor): Tensor => crossEntropy(model.forward(x), y);
  const train = (x: Tensor, y: Tensor): Tensor => {
    const value = lossOf(x, y);
    backward(value);
    optimizer.step();
    optimizer.zeroGrad();
    return value;
  };
  if (mode === "inference") model.eval();
  const infer = (x: Tensor): Tensor => noGrad(() => model.forward(x));
  const step = mode === "training" ? train : infer;
  return {
    step: () => step(images, labels),
    replayed: capture(step),
    batch: [images, labels],
    loss: () => lossOf(images, labels),
    parameters,
  };
}
