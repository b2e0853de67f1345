/** @file What is in an ONNX file beside the operators, and what is refused. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession } from "onnxruntime-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  augTransforms,
  imagenetStats,
  ImagePipeline,
  Normalize,
  RandomErasing,
  RandomResizedCrop,
  Resize,
  type ImagePipelineOptions,
  type Size,
} from "../../data/index.ts";
import { noGrad, relu, tensor, type Tensor } from "../../engine/index.ts";
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm2d,
  Conv2d,
  Flatten,
  GlobalAveragePool,
  hookForward,
  Linear,
  Module,
  ReLU,
  Sequential,
  Sigmoid,
} from "../../nn/index.ts";
import {
  encodeOnnx,
  registerOnnx,
  type OnnxOptions,
  type OnnxPreprocessing,
} from "../../vision/index.ts";
import { writeOnnx } from "../../vision/node.ts";
import { describeData } from "../../vision/onnx/describe-data.ts";
import { encodeOnnxGraph } from "../../vision/onnx/graph.ts";
import { openModelProto } from "../../vision/onnx/schema.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { randomArray, toNchw, type HostArray } from "../oracles/layout.ts";
import { runOnnxFile } from "../oracles/onnx-model.ts";
import { relativeDifference } from "./onnx-compare.ts";

useDevice();

interface DecodedModel {
  readonly metadata_props: readonly { readonly key: string; readonly value: string }[];
  readonly graph: {
    readonly node: readonly { readonly op_type: string; readonly input: readonly string[] }[];
    readonly initializer: readonly { readonly name: string }[];
  };
}

/** An entry of the metadata, from JSON. */
async function metadataOf(bytes: Uint8Array, key: string): Promise<unknown> {
  const { metadata_props } = await decode(bytes);
  return JSON.parse(metadata_props.find((entry) => entry.key === key)?.value ?? "null");
}

async function decode(bytes: Uint8Array): Promise<DecodedModel> {
  return (await openModelProto()).decode(bytes) as unknown as DecodedModel;
}

const smallNet = () =>
  new Sequential(
    new Conv2d({ inChannels: 3, outChannels: 4, kernelSize: 3, padding: 1 }),
    new ReLU(),
    new GlobalAveragePool(),
    new Linear({ inFeatures: 4, outFeatures: 2 }),
  );

/** The model's result for images [batch, height, width, channels]. */
async function forward(model: Module, { shape, data }: HostArray): Promise<HostArray> {
  const result = noGrad(() => model.eval().forward(tensor(data, { shape })));
  return { shape: result.shape, data: (await result.data()) as Float32Array };
}

describe("names and shapes", () => {
  test("the batch and the size are free unless they are given", async () => {
    const model = smallNet();
    const shapes = async (options: OnnxOptions): Promise<unknown> => {
      const session = await InferenceSession.create(await encodeOnnx(model, options));
      const found = [...session.inputMetadata, ...session.outputMetadata].map((port) =>
        port.isTensor ? [port.name, port.shape] : port.name,
      );
      await session.release();
      return found;
    };
    expect(await shapes({})).toEqual([
      ["image", ["batch", 3, "height", "width"]],
      ["logits", ["batch", 2]],
    ]);
    expect(await shapes({ input: "x", output: "y", height: 5, width: 7 })).toEqual([
      ["x", ["batch", 3, 5, 7]],
      ["y", ["batch", 2]],
    ]);
  });

  test("weights have PyTorch's names, and only those that are read", async () => {
    const model = new Sequential(
      new Conv2d({ inChannels: 3, outChannels: 4, kernelSize: 1 }),
      new BatchNorm2d({ numFeatures: 4 }),
    );
    const { graph } = await decode(await encodeOnnx(model));
    expect(graph.initializer.map(({ name }) => name)).toEqual([
      ...["0.weight", "0.bias"],
      ...["1.weight", "1.bias", "1.running_mean", "1.running_var"],
    ]);
  });

  test("a shared layer has its weights once", async () => {
    const shared = new Conv2d({ inChannels: 3, outChannels: 3, kernelSize: 1 });
    const { graph } = await decode(await encodeOnnx(new Sequential(shared, new ReLU(), shared)));
    expect(graph.node.map(({ op_type }) => op_type)).toEqual(["Conv", "Relu", "Conv"]);
    expect(graph.initializer).toHaveLength(2);
  });
});

describe("preprocessing", () => {
  const preprocessing: OnnxPreprocessing = {
    itemTfms: [{ name: "Resize", settings: { size: [9, 8], method: "squish" } }],
    size: [9, 8],
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  };
  const { shape, data } = randomArray([2, 9, 8, 3], seededRandom(3));
  const bytes: HostArray = { shape, data: data.map((x) => Math.round(127.5 * (x + 1))) };

  /** What the network is to see of the bytes. */
  const prepared = (bgr: boolean): HostArray => ({
    shape,
    data: bytes.data.map((_, i) => {
      const c = i % 3;
      const byte = bytes.data[bgr ? i - c + 2 - c : i] ?? NaN;
      return (byte / 255 - (preprocessing.mean?.[c] ?? NaN)) / (preprocessing.std?.[c] ?? NaN);
    }),
  });

  test.each(["RGB", "BGR"] as const)("baked in, network of %s", async (channelOrder) => {
    const model = smallNet();
    const file = await encodeOnnx(model, {
      preprocessing: { ...preprocessing, channelOrder },
      bakePreprocessing: true,
    });
    const [theirs] = await runOnnxFile(file, [{ image: toNchw(bytes) }]);
    const ours = await forward(model, prepared(channelOrder === "BGR"));
    expect(relativeDifference(ours, theirs as HostArray)).toBeLessThan(1e-6);
  });

  test("is described in the metadata, with the labels", async () => {
    const labels = ["cat", "dog"];
    const described = async (baked: boolean): Promise<Record<string, unknown>> => {
      const file = await encodeOnnx(smallNet(), {
        ...{ preprocessing, bakePreprocessing: baked, labels },
        metadata: { author: "somebody" },
      });
      const { metadata_props, graph } = await decode(file);
      expect(graph.node[0]?.op_type).toBe(baked ? "Mul" : "Conv");
      return Object.fromEntries(
        metadata_props.map(({ key, value }) => [key, key === "author" ? value : JSON.parse(value)]),
      );
    };
    const { size, ...rest } = preprocessing;
    const common = { ...rest, scale: 1 / 255, channelOrder: "RGB" };
    const input = { name: "image", layout: "NCHW", size, channelOrder: "RGB" };
    const values = "(x * scale - mean) / std of x from 0 to 255";
    expect(await described(false)).toEqual({
      author: "somebody",
      labels,
      preprocessing: { ...common, baked: false, input: { ...input, values } },
    });
    expect(await described(true)).toEqual({
      author: "somebody",
      labels,
      preprocessing: { ...common, baked: true, input: { ...input, values: "0 to 255" } },
    });
  });

  describe("of data is all that prediction does, in its order", () => {
    const described = async (options: Partial<ImagePipelineOptions>) => {
      const data = new ImagePipeline({
        vocab: [false, 7],
        itemTfms: [],
        batchTfms: [],
        ...options,
      });
      const file = await encodeOnnx(smallNet(), describeData(data));
      expect(await metadataOf(file, "labels")).toEqual(["false", "7"]);
      return metadataOf(file, "preprocessing");
    };
    const rest = (size?: readonly number[]) => ({
      ...{ scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1], channelOrder: "RGB", baked: false },
      input: {
        ...{ name: "image", layout: "NCHW", channelOrder: "RGB", ...(size && { size }) },
        values: "(x * scale - mean) / std of x from 0 to 255",
      },
    });
    const own = { name: "Mine", settings: { side: 3 } };

    test("the size of augTransforms after that of Resize, without what is for training", async () => {
      const normalize = new Normalize(imagenetStats);
      const batchTfms = [normalize, new RandomErasing(), ...augTransforms({ size: [64, 60] })];
      const itemTfms = [new Resize(96, { method: "pad", padMode: "border" })];
      const { mean, std } = normalize.settings;
      const size = [64, 60];
      const resized = { mode: "bilinear", padMode: "reflection", alignCorners: true };
      expect(await described({ itemTfms, batchTfms, decoding: { applyExif: true } })).toEqual({
        ...{ ...rest(size), mean, std, decoding: { applyExif: true } },
        itemTfms: [
          { name: "Resize", settings: { size: [96, 96], method: "pad", padMode: "border" } },
        ],
        batchTfms: [
          { name: "ResizeBatch", settings: { size, ...resized, centralSquare: false } },
          { name: "Normalize", settings: { mean, std } },
        ],
      });
    });

    test("RandomResizedCrop", async () => {
      const itemTfms = [new RandomResizedCrop([32, 40], { minScale: 0.5 })];
      const settings = { size: [32, 40], minScale: 0.5, ratio: [3 / 4, 4 / 3], valXtra: 0.14 };
      expect(await described({ itemTfms })).toEqual({
        ...rest([32, 40]),
        itemTfms: [{ name: "RandomResizedCrop", settings }],
        batchTfms: [],
      });
    });

    test("a transform of one's own, after which the size is known only if its settings say so", async () => {
      const place = ({ width, height }: Size) => ({
        ...{ box: { left: 0, top: 0, width, height }, resized: { width: 3, height: 3 } },
      });
      const resize = new Resize(9);
      const itemTfms = [{ name: "Resize", settings: resize.settings }, own];
      expect(await described({ itemTfms: [resize, { ...own, place }] })).toEqual({
        ...{ ...rest(), itemTfms, batchTfms: [] },
      });
      const sized = { name: "Mine", settings: { size: [3, 3] } };
      expect(await described({ itemTfms: [{ ...sized, place }] })).toEqual({
        ...{ ...rest([3, 3]), itemTfms: [sized], batchTfms: [] },
      });
    });

    test("grey images", () => {
      const data = new ImagePipeline({ vocab: ["a"], itemTfms: [], batchTfms: [], channels: 1 });
      expect(describeData(data).preprocessing?.decoding).toEqual({ channels: 1 });
    });

    test("nothing where there are no transforms", async () => {
      expect(await described({})).toEqual({ ...rest(), itemTfms: [], batchTfms: [] });
    });
  });

  test.each<[string, OnnxOptions]>([
    ["two means", { preprocessing: { mean: [0, 1] } }],
    ["a deviation of 0", { preprocessing: { std: [1, 0, 1] } }],
    ["BGR of one channel", { channels: 1, preprocessing: { channelOrder: "BGR" } }],
    ["nothing to bake in", { bakePreprocessing: true }],
    ["too many labels", { labels: ["a", "b", "c"] }],
    ["other channels than the layer's", { channels: 4 }],
  ])("%s", async (_, options) => {
    await expect(encodeOnnx(smallNet(), options)).rejects.toThrowErrorMatchingSnapshot();
  });
});

describe("modules", () => {
  class Twice extends Module {
    readonly inner = new ReLU();
    override forward(x: Tensor): Tensor {
      return this.inner.forward(this.inner.forward(x));
    }
  }
  class Head extends Sequential {}
  class Odd extends Sequential {
    override forward(x: Tensor): Tensor {
      return relu(super.forward(x));
    }
  }
  const operators = async (model: Module): Promise<string[]> =>
    (await decode(await encodeOnnx(model))).graph.node.map(({ op_type }) => op_type);

  test("of an unknown class are named by their path until they are registered", async () => {
    const model = new Sequential(new Sigmoid(), new Sequential(new Twice()));
    await expect(encodeOnnx(model)).rejects.toThrow(
      "encodeOnnx: there is no ONNX form of the class Twice: Twice at 1.0. " +
        "Register one: registerOnnx(Twice, (module, [x], graph) => ...)",
    );
    registerOnnx(Twice, ({ inner }, [x], graph) => graph.module(inner, graph.module(inner, x)));
    expect(await operators(model)).toEqual(["Sigmoid", "Relu", "Relu"]);
  });

  test("inherit an emitter with forward, not without", async () => {
    expect(await operators(new Head(new ReLU()))).toEqual(["Relu"]);
    await expect(encodeOnnx(new Odd(new ReLU()))).rejects.toThrow("Odd at the model itself");
  });

  test("are written though they have hooks", async () => {
    const layer = new ReLU();
    const stop = hookForward(layer, () => undefined);
    expect(await operators(layer)).toEqual(["Relu"]);
    stop();
  });

  test.each<[string, () => Module]>([
    ["an adaptive pool of 2", () => new AdaptiveAvgPool2d({ outputSize: 2 as 1 })],
    [
      "batch norm without statistics",
      () => new BatchNorm2d({ numFeatures: 3, trackRunningStats: false }),
    ],
    ["axes that are not there", () => new Flatten({ startAxis: 1, endAxis: 4 })],
    [
      "a divisor in ceil mode",
      () => new AvgPool2d({ kernelSize: 2, ceilMode: true, divisorOverride: 3 }),
    ],
    [
      "same, stride and dilation",
      () =>
        new Conv2d({
          ...{ inChannels: 3, outChannels: 3, kernelSize: 3 },
          ...{ padding: "same", stride: 2, dilation: 2 },
        }),
    ],
  ])("with options that ONNX lacks: %s", async (_, make) => {
    await expect(encodeOnnx(new Sequential(make()))).rejects.toThrowErrorMatchingSnapshot();
  });
});

describe("files", () => {
  let folder = "";
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wgrad-onnx-"));
  });
  afterEach(() => rm(folder, { recursive: true }));

  test("are written whole, and nothing else is left", async () => {
    const model = smallNet();
    const path = join(folder, "model.onnx");
    await writeOnnx(path, model);
    expect(new Uint8Array(await readFile(path))).toEqual(await encodeOnnx(model));
    await expect(writeOnnx(path, model, { labels: ["one"] })).rejects.toThrow("labels");
    await expect(writeOnnx(folder, model)).rejects.toThrow(
      `writeOnnx: the model cannot be written, there is a folder of this name: ${folder}. Pass`,
    );
    await expect(writeOnnx(join(path, "model.onnx"), model)).rejects.toThrow(
      /^writeOnnx: the model cannot be written to .*model\.onnx.model\.onnx: E/,
    );
    expect(await readdir(folder)).toEqual(["model.onnx"]);
  });

  test("make the folder that is missing", async () => {
    const path = join(folder, "missing", "too", "model.onnx");
    await writeOnnx(path, smallNet());
    expect(await readdir(join(folder, "missing", "too"))).toEqual(["model.onnx"]);
  });

  test("of 2 GiB are refused, before the weights are read or written", async () => {
    class Huge extends ReLU {
      override stateEntries(): ReturnType<Module["stateEntries"]> {
        const entry = (name: string) => ({
          ...{ kind: "parameter" as const, torchAxes: undefined },
          tensor: fake(name),
        });
        return new Map([
          ["a", entry("a")],
          ["b", entry("b")],
        ]);
      }
    }
    const fake = (name: string) => ({ name, size: 2 ** 28 }) as unknown as Tensor;
    const message =
      "encodeOnnx: the weights do not fit into one ONNX file, which protobuf limits to 2 GiB: 2 GiB. " +
      "Export a smaller model; weights in files beside the model are not supported";
    await expect(encodeOnnx(new Huge())).rejects.toThrow(message);
    // Memory that nobody touches costs nothing.
    const half = { shape: [2 ** 28], data: new Float32Array(2 ** 28) };
    const weights = new Map([
      ["a", half],
      ["b", half],
    ]);
    await expect(encodeOnnxGraph({ inputs: [], outputs: [], nodes: [], weights })).rejects.toThrow(
      message,
    );
  });
});
