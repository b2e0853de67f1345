/** @file ONNX files in onnxruntime against the models they were made of: every class of layers, every network. */
import { describe, test } from "vitest";
import { manualSeed, type MaxPoolOptions } from "../../engine/index.ts";
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BasicBlock,
  BatchNorm1d,
  BatchNorm2d,
  Bottleneck,
  cifarResnet20,
  Conv2d,
  ConvTranspose2d,
  createVisionModel,
  Dropout,
  ELU,
  Flatten,
  GELU,
  GlobalAveragePool,
  GlobalMaxPool,
  Identity,
  LayerNorm,
  LeakyReLU,
  Linear,
  MaxPool2d,
  ReLU,
  resnet18,
  resnet34,
  resnet50,
  Sequential,
  Sigmoid,
  SiLU,
  SmallResNet,
  Softmax,
  squeezenet1_0,
  Tanh,
  ZeroPadShortcut,
  type Conv2dLayerOptions,
  type ConvTranspose2dLayerOptions,
  type Module,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { compareOnnx, scramble } from "./onnx-compare.ts";

useDevice();
const compare = compareOnnx();

/** Awkward sizes, and both through the same file. */
const images = [
  [1, 7, 10, 6],
  [3, 9, 5, 6],
] as const;

async function compareLayer(make: () => Module): Promise<void> {
  manualSeed(1);
  const model = make();
  scramble(model);
  await compare(model.toString(), model, images, { channels: 6 });
}

describe("convolutions", () => {
  const variants: readonly Partial<Conv2dLayerOptions>[] = [
    {},
    { padding: 1, stride: 2, bias: false },
    { kernelSize: [3, 2], stride: [1, 2], padding: [0, 2, 1, 0] },
    { dilation: [2, 1], padding: [2, 1], groups: 3 },
    { groups: 6 },
    { padding: "same", kernelSize: 4 },
    { padding: "same", kernelSize: [4, 5], dilation: [1, 2] },
    { padding: "same", stride: 2 },
    { padding: "same", kernelSize: 4, stride: [3, 2] },
    { padding: "valid" },
  ];
  test.each(variants)("Conv2d %j", (options) =>
    compareLayer(() => new Conv2d({ inChannels: 6, outChannels: 12, kernelSize: 3, ...options })),
  );

  const transposed: readonly Partial<ConvTranspose2dLayerOptions>[] = [
    {},
    { stride: 2, padding: 1, outputPadding: 1 },
    { stride: [3, 2], padding: [1, 0], outputPadding: [2, 0], dilation: [2, 1], groups: 2 },
    { kernelSize: [2, 4], bias: false, groups: 3 },
  ];
  test.each(transposed)("ConvTranspose2d %j", (options) =>
    compareLayer(
      () => new ConvTranspose2d({ inChannels: 6, outChannels: 12, kernelSize: 3, ...options }),
    ),
  );
});

describe("pools", () => {
  const windows: readonly MaxPoolOptions[] = [
    { kernelSize: 2 },
    { kernelSize: [3, 2], stride: [2, 1], padding: [1, 0] },
    { kernelSize: 3, stride: 2, ceilMode: true },
    { kernelSize: 2, stride: 2, padding: 1, ceilMode: true },
    { kernelSize: 3, stride: 3, padding: 1, ceilMode: true },
    { kernelSize: 2, stride: 3, padding: 1, ceilMode: true },
    { kernelSize: 1, stride: 3, ceilMode: true },
    { kernelSize: 4, stride: 4, padding: 2, ceilMode: true },
  ];
  test.each(windows)("MaxPool2d %j", (options) => compareLayer(() => new MaxPool2d(options)));
  test("MaxPool2d with dilation", () =>
    compareLayer(() => new MaxPool2d({ kernelSize: 3, stride: 1, dilation: 2, padding: 1 })));
  test.each(windows)("AvgPool2d %j", (options) => compareLayer(() => new AvgPool2d(options)));
  test.each(windows)("AvgPool2d %j without padding", (options) =>
    compareLayer(() => new AvgPool2d({ ...options, countIncludePad: false })),
  );
  test("AvgPool2d with a divisor of its own", () =>
    compareLayer(
      () => new AvgPool2d({ kernelSize: [3, 2], stride: 2, padding: 1, divisorOverride: 4 }),
    ));
  test.each([new AdaptiveAvgPool2d(), new GlobalAveragePool(), new GlobalMaxPool()])(
    "%s",
    (layer) => compareLayer(() => layer),
  );
});

describe("norms", () => {
  test.each([
    ["plain", {}],
    ["with an activation", { activation: "relu" as const }],
    ["without weights", { affine: false, eps: 1e-2 }],
  ])("BatchNorm2d %s", (_, options) =>
    compareLayer(() => new BatchNorm2d({ numFeatures: 6, ...options })),
  );
  test("BatchNorm1d of vectors and of sequences", async () => {
    await compareLayer(
      () => new Sequential(new GlobalMaxPool(), new BatchNorm1d({ numFeatures: 6 })),
    );
    await compareLayer(
      () =>
        new Sequential(
          new Flatten({ endAxis: 2 }),
          new BatchNorm1d({ numFeatures: 6 }),
          new ReLU(),
        ),
    );
  });
  test("LayerNorm over channels, with and without weights", async () => {
    await compareLayer(() => new LayerNorm({ normalizedShape: 6 }));
    await compareLayer(() => new LayerNorm({ normalizedShape: 6, bias: false }));
    await compareLayer(() => new LayerNorm({ normalizedShape: 6, affine: false, eps: 1e-3 }));
  });
  test("LayerNorm over whole images", async () => {
    const model = new LayerNorm({ normalizedShape: [5, 4, 6] });
    model.weight?.write(Float32Array.from({ length: 120 }, (_, i) => Math.sin(i)));
    await compare("LayerNorm of images", model, [[3, 5, 4, 6]]);
  });
});

describe("elementwise layers and Softmax", () => {
  test.each([
    new ReLU(),
    new LeakyReLU({ negativeSlope: 0.2 }),
    new ELU({ alpha: 0.7 }),
    new GELU(),
    new SiLU(),
    new Sigmoid(),
    new Tanh(),
    new Softmax(),
    new Softmax({ axis: 1 }),
    new Softmax({ axis: 2 }),
    new Dropout(),
    new Identity(),
    new Sequential(),
  ])("%s", (layer) => compareLayer(() => layer));
});

describe("shapes", () => {
  test.each([
    [1, 2],
    [2, 3],
    [1, -1],
    [0, 1],
    [2, 2],
  ])("Flatten %i to %i", (startAxis, endAxis) =>
    compareLayer(() => new Flatten({ startAxis, endAxis })),
  );
  test("a Linear finds the pixels in wgrad's order", () => {
    const model = new Sequential(
      new Conv2d({ inChannels: 6, outChannels: 5, kernelSize: 3 }),
      new Flatten(),
      new Linear({ inFeatures: 5 * 8 * 5, outFeatures: 7 }),
    );
    return compare("Flatten, Linear", model, [[2, 10, 7, 6]], { height: 10, width: 7 });
  });
  test("Linear on pixels, and between layers that want channels first", () =>
    compareLayer(
      () =>
        new Sequential(
          new Linear({ inFeatures: 6, outFeatures: 8 }),
          new Conv2d({ inChannels: 8, outChannels: 4, kernelSize: 3 }),
          new LayerNorm({ normalizedShape: 4 }),
          new Linear({ inFeatures: 4, outFeatures: 3, bias: false }),
        ),
    ));
  test("Flatten of one pixel", () =>
    compareLayer(
      () =>
        new Sequential(
          new AdaptiveAvgPool2d(),
          new Dropout(),
          new Flatten(),
          new Linear({ inFeatures: 6, outFeatures: 4, bias: false }),
        ),
    ));
  test("ZeroPadShortcut", () => compareLayer(() => new ZeroPadShortcut(6, 13, 2)));
});

describe("blocks and networks", () => {
  test.each([1, 2])("blocks of stride %i", async (stride) => {
    await compareLayer(() => new BasicBlock({ inChannels: 6, channels: 6, stride }));
    await compareLayer(() => new Bottleneck({ inChannels: 6, channels: 4, stride }));
  });
  const compareNetwork = (group: string, model: Module, shapes: Parameters<typeof compare>[2]) => {
    scramble(model);
    return compare(group, model, shapes, { group });
  };
  const sizes = [
    [1, 64, 64, 3],
    [3, 64, 64, 3],
    [1, 97, 97, 3],
    [2, 65, 130, 3],
  ] as const;
  test.each([
    ["resnet18", resnet18],
    ["resnet34", resnet34],
    ["resnet50", resnet50],
    ["squeezenet1_0", squeezenet1_0],
  ])("%s at 64 and 97 pixels, and 65 x 130", async (name, make) => {
    manualSeed(2);
    await compareNetwork(name, make({ numClasses: 37 }), sizes);
  });
  test.each([
    ["resnet34", resnet34],
    ["resnet50", resnet50],
  ])("%s with the head of cnnLearner", async (name, arch) => {
    manualSeed(2);
    await compareNetwork(`${name} with head`, createVisionModel(arch, { numClasses: 37 }), sizes);
  });
  test.each(["A", "B"] as const)("CIFAR ResNet with shortcut %s", async (shortcut) => {
    manualSeed(3);
    await compareNetwork(`cifarResnet20 ${shortcut}`, cifarResnet20({ shortcut }), [
      [1, 32, 32, 3],
      [3, 31, 33, 3],
    ]);
  });
  test("SmallResNet", async () => {
    manualSeed(4);
    await compareNetwork("SmallResNet", new SmallResNet(), [
      [1, 28, 28, 1],
      [3, 29, 27, 1],
    ]);
  });
});
