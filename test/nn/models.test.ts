/** @file Models: parameter counts, every key and shape of the state, initial values, and that they compute and learn. */
import { afterEach, describe, expect, test } from "vitest";
import {
  backward,
  crossEntropy,
  manualSeed,
  noGrad,
  openScope,
  randomNormal,
  tensor,
  zeros,
} from "../../engine/index.ts";
import {
  BatchNorm2d,
  CifarResNet,
  cifarResnet20,
  cifarResnet32,
  cifarResnet44,
  cifarResnet56,
  Conv2d,
  exportStateDict,
  importStateDict,
  resnet18,
  resnet34,
  resnet50,
  SmallResNet,
  type Module,
} from "../../nn/index.ts";
import { BasicBlock } from "../../nn/models/resnet.ts";
import { SGD } from "../../nn/optim/index.ts";
import { useDevice } from "../device.ts";
import { expectClose } from "../numeric.ts";

const device = useDevice();

/** Gives the memory of large models back at the end of a test. */
const large: Module[] = [];

function build<M extends Module>(model: M): M {
  large.push(model);
  return model;
}

afterEach(() => {
  for (const model of large.splice(0)) for (const t of model.stateDict().values()) t.release();
});

function countNumbers(model: Module): number {
  return model.parameters().reduce((total, { size }) => total + size, 0);
}

/** Keys and shapes of torchvision's ResNet of BasicBlocks, written down from resnet.py. */
function expectedKeys(blocks: readonly number[]): Map<string, number[]> {
  const keys = new Map<string, number[]>();
  const norm = (name: string, channels: number): void => {
    for (const key of ["weight", "bias", "running_mean", "running_var"])
      keys.set(`${name}.${key}`, [channels]);
    keys.set(`${name}.num_batches_tracked`, []);
  };
  keys.set("conv1.weight", [64, 3, 7, 7]);
  norm("bn1", 64);
  blocks.forEach((count, i) => {
    const out = 64 * 2 ** i;
    for (let block = 0; block < count; block++) {
      const name = `layer${i + 1}.${block}`;
      const inside = block === 0 && i > 0 ? out / 2 : out;
      keys.set(`${name}.conv1.weight`, [out, inside, 3, 3]);
      norm(`${name}.bn1`, out);
      keys.set(`${name}.conv2.weight`, [out, out, 3, 3]);
      norm(`${name}.bn2`, out);
      if (inside === out) continue;
      keys.set(`${name}.downsample.0.weight`, [out, inside, 1, 1]);
      norm(`${name}.downsample.1`, out);
    }
  });
  keys.set("fc.weight", [1000, 512]);
  keys.set("fc.bias", [1000]);
  return keys;
}

describe("torchvision's ResNets", () => {
  test("ResNet-34: 21,797,672 parameters in 110 tensors, 36 batch norms, 218 entries with their names and shapes", async () => {
    const model = build(resnet34());
    expect(countNumbers(model)).toBe(21_797_672);
    expect(model.parameters()).toHaveLength(110);
    expect(model.modules().filter((module) => module instanceof BatchNorm2d)).toHaveLength(36);
    const state = await exportStateDict(model);
    const shapes = Array.from(state, ([name, { shape }]) => [name, [...shape]]);
    expect(shapes).toHaveLength(218);
    expect(shapes).toEqual([...expectedKeys([3, 4, 6, 3])]);
  });

  test("ResNet-34 starts as torchvision's: convolutions N(0, 2 / fanOut), batch norms 1 and 0", async () => {
    const model = build(resnet34());
    const weight = model.layer4.at(-1)?.namedParameters().get("conv2.weight");
    const values = Float32Array.from((await weight?.data()) ?? []);
    const variance = values.reduce((total, value) => total + value * value, 0) / values.length;
    expect(variance / (2 / (512 * 9))).toBeCloseTo(1, 1.7);
    expect(new Set(await model.bn1.weight?.data())).toEqual(new Set([1]));
    expect(new Set(await model.bn1.bias?.data())).toEqual(new Set([0]));
    const fc = await model.fc.weight.data();
    expect(Math.max(...fc.slice(0, 50_000))).toBeLessThanOrEqual(1 / Math.sqrt(512));
  });

  test("ResNet-18: 11,689,512 parameters and torchvision's keys", () => {
    const model = build(resnet18());
    expect(countNumbers(model)).toBe(11_689_512);
    expect([...model.stateDict().keys()]).toEqual([...expectedKeys([2, 2, 2, 2]).keys()]);
  });

  test("ResNet-50: 25,557,032 parameters; the stride is in the 3 x 3 convolution", () => {
    const model = build(resnet50());
    expect(countNumbers(model)).toBe(25_557_032);
    const state = model.stateDict();
    expect(state.size).toBe(320);
    expect(state.get("layer2.0.conv3.weight")?.shape).toEqual([1, 1, 128, 512]);
    expect(state.get("layer1.0.downsample.0.weight")?.shape).toEqual([1, 1, 64, 256]);
    const strides = (model.layer2.at(0)?.modules() ?? [])
      .filter((module) => module instanceof Conv2d)
      .map(({ stride }) => stride);
    expect(strides).toEqual([1, 2, 1, 2]);
  });

  test("other numbers of classes and channels", async () => {
    const model = build(resnet18({ numClasses: 2, inChannels: 1 })).eval();
    expect(countNumbers(model)).toBe(11_689_512 - 2 * 64 * 49 - 998 * 513);
    using scope = openScope();
    const logits = scope.keep(noGrad(() => model.forward(randomNormal([1, 64, 64, 1]))));
    expect(logits.shape).toEqual([1, 2]);
    expect((await logits.data()).every(Number.isFinite)).toBe(true);
    expect(() => resnet18({ numClasses: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ResNet: numClasses is not a whole number >= 1: 0. Pass a whole number]`,
    );
  });

  test("a bottleneck network computes", async () => {
    const model = build(resnet50({ numClasses: 3 })).eval();
    using scope = openScope();
    const logits = scope.keep(noGrad(() => model.forward(randomNormal([1, 32, 32, 3]))));
    expect(logits.shape).toEqual([1, 3]);
    expect((await logits.data()).every(Number.isFinite)).toBe(true);
  });
});

describe("a block that changes the shape", () => {
  test("adds its shortcut with the negative numbers that it has: the norm in it has no ReLU", async () => {
    const block = new BasicBlock({ inChannels: 4, channels: 8, stride: 2 }).eval();
    // The convolutions add 3, whatever x is, so that what the shortcut has below zero can be seen in the result.
    block.bn2.weight?.write(new Float32Array(8));
    block.bn2.bias?.write(new Float32Array(8).fill(3));
    const x = randomNormal([2, 6, 6, 4]);
    const out = await noGrad(() => block.forward(x)).data();
    const shortcut = await noGrad(() => block.downsample?.forward(x))?.data();
    expect(Math.min(...(shortcut ?? []))).toBeLessThan(-0.1);
    expectClose(
      out,
      Array.from(shortcut ?? [], (v) => Math.max(0, v + 3)),
      1e-6,
      "sum",
    );
  });
});

describe("the ResNets for CIFAR", () => {
  test.each([
    ["20", cifarResnet20, 269_722],
    ["32", cifarResnet32, 464_154],
    ["44", cifarResnet44, 658_586],
    ["56", cifarResnet56, 853_018],
  ] as const)("ResNet-%s has the paper's number of parameters", (_depth, make, count) => {
    expect(countNumbers(build(make()))).toBe(count);
  });

  test("shortcut B adds projections", () => {
    const model = build(cifarResnet20({ shortcut: "B" }));
    expect(countNumbers(model)).toBe(272_474);
    expect(model.stateDict().get("layer2.0.downsample.0.weight")?.shape).toEqual([1, 1, 16, 32]);
  });

  test("keys have no shortcut in A, and the tensors know their names", () => {
    const model = build(cifarResnet20());
    const names = [...model.namedParameters().keys()];
    expect(names).toHaveLength(59);
    expect(names.filter((name) => name.includes("downsample"))).toEqual([]);
    expect(names.slice(0, 4)).toEqual([
      "conv1.weight",
      "bn1.weight",
      "bn1.bias",
      "layer1.0.conv1.weight",
    ]);
    expect(model.linear.bias?.name).toBe("linear.bias");
  });

  test("shortcut A subsamples and pads with zeros on both sides", async () => {
    const model = build(cifarResnet20());
    const shortcut = model.namedModules().get("layer2.0.downsample");
    const x = tensor(
      Float32Array.from({ length: 3 * 3 * 16 }, (_, i) => i + 1),
      { shape: [1, 3, 3, 16] },
    );
    const out = shortcut?.forward(x);
    expect(out?.shape).toEqual([1, 2, 2, 32]);
    const values = (await out?.data()) ?? [];
    for (const [pixel, source] of [0, 2, 6, 8].entries()) {
      const channels = Array.from(values.slice(pixel * 32, pixel * 32 + 32));
      const expected = Array.from({ length: 32 }, (_, c) =>
        c < 8 || c >= 24 ? 0 : source * 16 + c - 8 + 1,
      );
      expect(channels).toEqual(expected);
    }
  });

  test("wrong depths are refused", () => {
    expect(() => new CifarResNet(21)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: CifarResNet: the depth is not 6 n + 2: 21. Use 20, 32, 44, 56 or 110]`,
    );
    expect(() => new CifarResNet(2)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: CifarResNet: the depth is not 6 n + 2: 2. Use 20, 32, 44, 56 or 110]`,
    );
  });

  test("every parameter gets a gradient, and the same seed gives the same logits", async () => {
    const logits = async (): Promise<number[]> => {
      manualSeed(3);
      const model = build(cifarResnet20());
      const out = model.forward(randomNormal([2, 32, 32, 3]));
      backward(crossEntropy(out, tensor(new Int32Array([1, 7]))));
      const missing = Array.from(model.namedParameters()).filter(
        ([, leaf]) => leaf.grad === undefined,
      );
      expect(missing.map(([name]) => name)).toEqual([]);
      return [...(await out.data())];
    };
    expect(await logits()).toEqual(await logits());
  });
});

describe("SmallResNet", () => {
  test("learns a batch by heart", async () => {
    manualSeed(1);
    const model = build(new SmallResNet());
    const optimizer = new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
    const x = randomNormal([16, 28, 28, 1]);
    const y = tensor(Int32Array.from({ length: 16 }, (_, i) => i % 10));
    const losses: number[] = [];
    for (let step = 0; step < 15; step++) {
      const loss = crossEntropy(model.forward(x), y);
      backward(loss);
      optimizer.step();
      optimizer.zeroGrad();
      losses.push(await loss.item());
    }
    expect(losses.at(-1)).toBeLessThan(0.2 * (losses[0] ?? NaN));
  });

  test("other sizes, and wrong ones", () => {
    const model = build(new SmallResNet({ channels: [8], numClasses: 3, inChannels: 2 }));
    expect(noGrad(() => model.forward(zeros([1, 28, 28, 2]))).shape).toEqual([1, 3]);
    expect([...model.namedParameters().keys()]).toEqual([
      "conv1.weight",
      "bn1.weight",
      "bn1.bias",
      "fc.weight",
      "fc.bias",
    ]);
    expect(() => new SmallResNet({ channels: [] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: SmallResNet: there are no channels: []. Pass for example [16, 32, 64]]`,
    );
  });
});

test("export and import carry a whole model over", async () => {
  const [a, b] = [build(new SmallResNet()), build(new SmallResNet())];
  const x = randomNormal([2, 28, 28, 1]);
  noGrad(() => a.forward(x));
  importStateDict(b, await exportStateDict(a));
  const outputs = [a, b].map((model) => noGrad(() => model.eval().forward(x)).data());
  const [ofA, ofB] = await Promise.all(outputs);
  expect(ofB).toEqual(ofA);
});

test("inference without recording leaves only its result behind", () => {
  const model = build(new SmallResNet()).eval();
  using _scope = openScope();
  const x = zeros([4, 28, 28, 1]);
  noGrad(() => model.forward(x));
  const before = device().memory().liveBuffers;
  const logits = noGrad(() => model.forward(x));
  expect(logits.isFreed).toBe(false);
  expect(device().memory().liveBuffers).toBe(before + 1);
});
