/** @file Published weights into vision models: same features, and a report of every name. */
import { beforeAll, describe, expect, test } from "vitest";
import { concat, noGrad, openScope, randomNormal } from "../../../engine/index.ts";
import {
  createBody,
  createVisionModel,
  exportStateDict,
  imagenetStats,
  loadPretrained,
  resnet18,
  resnet18Weights,
  squeezenet1_0,
  type HostState,
  type ImportableState,
  type ResNet,
  type TorchState,
} from "../../../nn/index.ts";
import { useDevice } from "../../device.ts";
import { expectClose } from "../../numeric.ts";
import { useModels } from "./models.ts";

useDevice();

const build = useModels();

let whole: ResNet;
let state: Map<string, HostState>;

beforeAll(async () => {
  whole = resnet18({ numClasses: 10 });
  // Running statistics other than 0 and 1.
  using _scope = openScope();
  noGrad(() => whole.forward(randomNormal([2, 32, 32, 3])));
  whole.eval();
  state = await exportStateDict(whole);
});

const without = (drop: (name: string) => boolean): TorchState =>
  new Map([...state].filter(([name]) => !drop(name)));

describe("the option pretrained of a whole network", () => {
  test("loads the classifier, too", async () => {
    const model = build(resnet18({ numClasses: 10, pretrained: state })).eval();
    using _scope = openScope();
    const x = randomNormal([1, 32, 32, 3]);
    const [expected, found] = noGrad(() => [whole.forward(x), model.forward(x)]);
    expect(await found.data()).toEqual(await expected.data());
  });

  test("does without num_batches_tracked, and adapts the channels of the images", async () => {
    const old = without((name) => name.endsWith("num_batches_tracked"));
    const model = build(resnet18({ numClasses: 10, inChannels: 1, pretrained: old })).eval();
    using _scope = openScope();
    const x = randomNormal([1, 32, 32, 1]);
    const colour = concat([x, x, x], -1);
    const [expected, found] = noGrad(() => [whole.forward(colour), model.forward(x)]);
    expectClose(await found.data(), await expected.data(), 2e-5, "logits");
  });

  test("lists everything that does not fit, for bit patterns of a first convolution, too", () => {
    const wrong = new Map<string, ImportableState>(without((name) => name === "bn1.bias"));
    wrong.set("conv1.weight", { dtype: "F16", shape: [64, 3, 7, 7], data: new Uint16Array(9408) });
    expect(() => resnet18({ pretrained: wrong })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: resnet18: the state does not fit the network: missing bn1.bias; of another shape fc.weight [10, 512] for [1000, 512], fc.bias [10] for [1000]. Load resnet18-f37072fd.pth; for other classes use createVisionModel(resnet18, ...)]`,
    );
  });

  test.each([true, "weights.pth", Promise.resolve(new Map()), {}])("refuses %o", (pretrained) => {
    const wrong = { pretrained: pretrained as unknown as TorchState };
    for (const make of [resnet18, squeezenet1_0]) {
      expect(() => make(wrong)).toThrow(
        new RegExp(`in a Map, not .*\\. Pass { pretrained: await pretrainedWeights\\(${make.name}`),
      );
    }
    expect(() => createVisionModel(resnet18, { numClasses: 2, ...wrong })).toThrow("in a Map, not");
  });
});

describe("loadPretrained", () => {
  test("the body has the features of the whole network, and the report every name", async () => {
    const model = build(createVisionModel(resnet18, { numClasses: 2, pretrained: state })).eval();
    using _scope = openScope();
    const x = randomNormal([2, 64, 64, 3]);
    const [expected, found] = noGrad(() => [
      createBody(whole, resnet18).forward(x),
      model.body.forward(x),
    ]);
    expect(await found.data()).toEqual(await expected.data());
    const { pretrained: report } = model;
    expect(report?.source).toBe(resnet18Weights);
    expect(report?.loaded).toHaveLength(120);
    expect(report).toMatchObject({
      ...{ missing: [], unexpected: [], misshaped: [], changes: [] },
      leftOut: ["fc.weight", "fc.bias"],
    });
    expect(report?.newInHead).toHaveLength(12);
    expect(String(report)).toMatchInlineSnapshot(`
      "resnet18, from tensors named as in resnet18-f37072fd.pth
        loaded: 120: 0.0.weight, 0.1.weight, 0.1.bias, 0.1.running_mean, ...
        missing: none
        unexpected: none
        of another shape: none
        left out: 2: fc.weight, fc.bias
        new in the head: 12: 1.2.weight, 1.2.bias, 1.2.running_mean, 1.2.running_var, ..."
    `);
    expect(model.normalization).toBe(imagenetStats);
  });

  test("files without num_batches_tracked are no error", () => {
    const old = without((name) => name.endsWith("num_batches_tracked"));
    const model = build(createVisionModel(resnet18, { numClasses: 2, pretrained: old }));
    expect(model.pretrained?.missing).toHaveLength(20);
  });

  test("a state with the model's own names brings its head", async () => {
    const [a, b] = [1, 2].map(() => build(createVisionModel(resnet18, { numClasses: 2 })).eval());
    if (a === undefined || b === undefined) throw new Error("unreachable");
    const report = loadPretrained(b, await exportStateDict(a));
    expect(report).toMatchObject({ source: undefined, newInHead: [], leftOut: [] });
    using _scope = openScope();
    const x = randomNormal([1, 32, 32, 3]);
    const [ofA, ofB] = noGrad(() => [a.forward(x), b.forward(x)]);
    expect(await ofB.data()).toEqual(await ofA.data());
  });

  test("lists every missing, unexpected and mis-shaped name and leaves the model unchanged", async () => {
    const wrong = new Map<string, HostState>(state);
    wrong.delete("layer1.0.conv1.weight");
    wrong.delete("bn1.running_mean");
    wrong.set("conv1.weight", { dtype: "F32", shape: [2], data: new Float32Array(2) });
    wrong.set("layer9.weight", { dtype: "F32", shape: [1], data: new Float32Array(1) });
    wrong.set("layer2.0.bn1.bias", { dtype: "F32", shape: [3], data: new Float32Array(3) });
    const model = build(createVisionModel(resnet18, { numClasses: 2 }));
    const weight = model.parameters().at(6);
    const before = await weight?.data();
    expect(() => loadPretrained(model, wrong)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: loadPretrained: the state does not fit the body of resnet18: missing bn1.running_mean, layer1.0.conv1.weight; unexpected layer9.weight; of another shape conv1.weight [2] for [64, 3, 7, 7], layer2.0.bn1.bias [3] for [128]. Load resnet18-f37072fd.pth, or a state of this network]`,
    );
    expect(await weight?.data()).toEqual(before);
    expect(model.pretrained).toBeUndefined();
    const report = loadPretrained(model, wrong, { strict: false });
    expect(report).toMatchObject({
      missing: ["bn1.running_mean", "layer1.0.conv1.weight"],
      unexpected: ["layer9.weight"],
      misshaped: [
        { name: "conv1.weight", expected: [64, 3, 7, 7], given: [2] },
        { name: "layer2.0.bn1.bias", expected: [128], given: [3] },
      ],
    });
    expect(report.loaded).toHaveLength(116);
    expect(await weight?.data()).not.toEqual(before);
  });

  test("refuses half floats as bit patterns, also where it would change them", () => {
    const half = new Map<string, ImportableState>(state);
    const shape = [64, 3, 7, 7];
    half.set("conv1.weight", { dtype: "F16", shape, data: new Uint16Array(64 * 147) });
    const model = build(createVisionModel(resnet18, { numClasses: 2, inChannels: 1 }));
    expect(() => loadPretrained(model, half)).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: loadPretrained: conv1.weight holds bit patterns, not numbers: F16. Widen it first: { dtype: "F32", shape, data: float32Values(entry) }]`,
    );
  });

  test("images of 1 channel: a grey photo has the features that it has as a colour photo", async () => {
    const pretrained = state;
    const grey = build(createVisionModel(resnet18, { numClasses: 2, inChannels: 1, pretrained }));
    expect(grey.pretrained?.changes).toEqual(["conv1.weight: made for 1 channels instead of 3"]);
    expect(grey.normalization).toBeUndefined();
    using _scope = openScope();
    const x = randomNormal([1, 32, 32, 1]);
    const colour = concat([x, x, x], -1);
    const [expected, found] = noGrad(() => [
      createBody(whole, resnet18).forward(colour),
      grey.eval().body.forward(x),
    ]);
    expectClose(await found.data(), await expected.data(), 2e-5, "features");
  });

  test("SqueezeNet of torchvision's names is loaded as it is", async () => {
    const source = build(squeezenet1_0({ numClasses: 10 }));
    const exported = await exportStateDict(source);
    const model = build(createVisionModel(squeezenet1_0, { numClasses: 2, pretrained: exported }));
    expect(model.pretrained).toMatchObject({
      ...{ missing: [], unexpected: [], misshaped: [], changes: [] },
      leftOut: ["classifier.1.weight", "classifier.1.bias"],
    });
    const ours = await exportStateDict(model);
    expect(ours.get("0.0.0.weight")?.data).toEqual(exported.get("features.0.weight")?.data);
  });
});
