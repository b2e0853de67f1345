/** @file Bodies, groups and names of vision models, and that a cut network computes what the whole one does. */
import { describe, expect, test } from "vitest";
import {
  globalAveragePool,
  noGrad,
  openScope,
  randomNormal,
  type Tensor,
} from "../../../engine/index.ts";
import {
  BatchNorm2d,
  createBody,
  createVisionModel,
  Flatten,
  Linear,
  parameterGroups,
  resnet18,
  resnet34,
  resnet50,
  Sequential,
  squeezenet1_0,
  VisionModel,
  type Module,
  type ModelFunction,
} from "../../../nn/index.ts";
import { useDevice } from "../../device.ts";
import { useModels } from "./models.ts";

useDevice();

const build = useModels();

function count(tensors: Iterable<Tensor>): number {
  return [...tensors].reduce((sum, { size }) => sum + size, 0);
}

describe("parameter groups", () => {
  test.each([
    ["resnet18", resnet18, [683_072, 10_493_440, 528_384]],
    ["resnet34", resnet34, [1_347_904, 19_936_768, 528_384]],
    ["resnet50", resnet50, [1_444_928, 22_063_104, 2_107_392]],
    ["squeezenet1_0", squeezenet1_0, [38_560, 696_864, 528_384]],
  ] as const)("of %s for 2 classes", (_name, arch, sizes) => {
    const model = build(createVisionModel(arch, { numClasses: 2 }));
    expect(parameterGroups(model).map(count)).toEqual(sizes);
    expect(parameterGroups(model).flat()).toEqual(model.parameters());
  });

  test("of resnet34 add up to fastai's: 21,813,056, of which 17,024 in norms of the body", () => {
    const model = build(createVisionModel(resnet34, { numClasses: 2 }));
    expect(count(model.parameters())).toBe(21_813_056);
    const norms = model.body.modules().filter((module) => module instanceof BatchNorm2d);
    expect(count(norms.flatMap((norm) => norm.parameters()))).toBe(17_024);
    model.body.requiresGrad(false);
    for (const norm of norms) norm.requiresGrad(true);
    expect(count(model.parameters().filter((leaf) => leaf.requiresGrad))).toBe(545_408);
  });
});

describe("names", () => {
  test("of resnet34 are fastai's", () => {
    const model = build(createVisionModel(resnet34, { numClasses: 2 }));
    const names = [...model.stateDict().keys()];
    expect(names.slice(0, 8)).toEqual([
      ...["0.0.weight", "0.1.weight", "0.1.bias", "0.1.running_mean", "0.1.running_var"],
      ...["0.1.num_batches_tracked", "0.4.0.conv1.weight", "0.4.0.bn1.weight"],
    ]);
    expect(names).toContain("0.5.0.downsample.1.running_var");
    expect(names).toContain("0.7.2.conv2.weight");
    const head = names.filter((name) => name.startsWith("1."));
    expect(head.filter((name) => !/running|num_/.test(name))).toEqual([
      ...["1.2.weight", "1.2.bias", "1.4.weight", "1.6.weight", "1.6.bias", "1.8.weight"],
    ]);
    expect(names).toHaveLength(216 + 12);
    expect(model.parameters()[0]?.name).toBe("0.0.weight");
  });

  test("of SqueezeNet have the features one module inside of the body", () => {
    const model = build(createVisionModel(squeezenet1_0, { numClasses: 2 }));
    const names = [...model.stateDict().keys()];
    expect(names[0]).toBe("0.0.0.weight");
    expect(names).toContain("0.0.12.expand3x3.bias");
  });
});

/** What the whole network has behind its body. */
type Rest = (features: Tensor) => Tensor;

const networks: readonly (readonly [string, ModelFunction, () => [Module, Rest]])[] = [
  ["resnet18", resnet18, () => withFc(resnet18({ numClasses: 5 }))],
  ["resnet50", resnet50, () => withFc(resnet50({ numClasses: 5 }))],
  ["squeezenet1_0", squeezenet1_0, () => withClassifier()],
];

function withFc(model: ReturnType<typeof resnet18>): [Module, Rest] {
  return [build(model), (features) => model.fc.forward(globalAveragePool(features))];
}

function withClassifier(): [Module, Rest] {
  const model = build(squeezenet1_0({ numClasses: 5, dropout: 0 }));
  return [model, (features) => new Flatten().forward(model.classifier.forward(features))];
}

describe("the body of", () => {
  test.each(networks)("%s computes what the whole network does", async (_name, arch, make) => {
    const [whole, rest] = make();
    const body = createBody(whole, arch);
    const x = randomNormal([2, 64, 64, 3]);
    // The pass in training moves the running statistics away from 0 and 1; it comes first for both modes to be telling.
    for (const training of [true, false]) {
      whole.train(training);
      using _scope = openScope();
      const [expected, found] = noGrad(() => [whole.forward(x), rest(body.forward(x))]);
      expect([...(await found.data())]).toEqual([...(await expected.data())]);
      expect((await found.data()).every(Number.isFinite)).toBe(true);
    }
  });

  test("another network is refused", () => {
    const model = build(squeezenet1_0({ numClasses: 1 }));
    expect(() => createBody(model, resnet18)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: createBody: the model is no resnet18: SqueezeNet. Name the architecture that the model was built by]`,
    );
    const unknown = (() => model) as unknown as ModelFunction;
    expect(() => createBody(model, unknown)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: architectureOf: nothing is known about the function unknown. Use one of resnet18, resnet34, resnet50, squeezenet1_0, or pass an Architecture of your own]`,
    );
  });
});

describe("createVisionModel", () => {
  test("computes logits and says that random weights ask for no normalization", async () => {
    const model = build(createVisionModel(resnet18, { numClasses: 3, inChannels: 4 })).eval();
    using _scope = openScope();
    const logits = noGrad(() => model.forward(randomNormal([2, 64, 64, 4])));
    expect(logits.shape).toEqual([2, 3]);
    expect((await logits.data()).every(Number.isFinite)).toBe(true);
    expect(model.normalization).toBeUndefined();
    expect(model.pretrained).toBeUndefined();
  });

  test("hands options to the head, or takes another head as it is", () => {
    const small = build(createVisionModel(squeezenet1_0, { numClasses: 2, linFtrs: [], ps: 0 }));
    expect([...small.stateDict().keys()].at(-1)).toBe("1.3.weight");
    const linear = new Linear({ inFeatures: 512, outFeatures: 2 });
    const customHead = new Sequential(new Flatten(), linear);
    const own = build(createVisionModel(squeezenet1_0, { numClasses: 2, customHead }));
    expect(own).toBeInstanceOf(VisionModel);
    expect(own.head).toBe(customHead);
    expect(parameterGroups(own).at(-1)).toEqual(linear.parameters());
    expect(linear.weight.name).toBe("1.1.weight");
  });

  test("refuses sizes that are not whole", () => {
    expect(() =>
      createVisionModel(resnet18, { numClasses: 2, inChannels: 0 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: createVisionModel: inChannels is not a whole number >= 1: 0. Pass a whole number]`,
    );
  });
});
