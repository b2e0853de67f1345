/** @file onnxruntime on the CPU: inference only, from models written here. */
import { cpus } from "node:os";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { toNchw, toNhwc, toOihw, type HostArray } from "../../test/oracles/layout.ts";
import { encodeOnnxGraph, type OnnxGraph, type OnnxNode } from "../../vision/onnx/graph.ts";
import { paddingOf } from "./convolution.ts";
import { Refusal, type Peer, type Prepared } from "./peer.ts";
import { entryOf, foldNorms, initialState, walk, type NetworkOps } from "./resnet34.ts";
import { versionOf } from "./versions.ts";
import { inputsOf, type ConvolutionWork, type Work } from "./work.ts";

export async function openPeer(): Promise<Peer> {
  return {
    description: {
      version: await versionOf("onnxruntime-node"),
      device: `CPU, ${cpus().length} threads`,
    },
    prepare,
  };
}

async function prepare(work: Work): Promise<Prepared> {
  const inputs = inputsOf(work);
  switch (work.kind) {
    case "matmul":
      return await session(binaryGraph(["MatMul"]), { x: inputs[0], y: inputs[1] });
    case "chain": {
      const adds = Array.from({ length: work.adds }, () => "Add");
      return await session(binaryGraph(adds), { x: inputs[0], y: inputs[1] });
    }
    case "convolution":
      return await convolution(work, inputs);
    case "inference":
      return await session(networkGraph(), { x: images(inputs[0]) });
    case "training":
      throw new Refusal("no training in onnxruntime-node");
  }
}

type Feeds = Readonly<Record<string, HostArray | undefined>>;

async function session(
  graph: OnnxGraph,
  feeds: Feeds,
  toResult: (output: HostArray) => HostArray = (output) => output,
): Promise<Prepared> {
  const model = await InferenceSession.create(await encodeOnnxGraph(graph), {
    intraOpNumThreads: cpus().length,
    logSeverityLevel: 3,
  });
  const tensors = Object.fromEntries(
    Object.entries(feeds).map(([name, input]) => {
      if (input === undefined) throw new Error(`onnxruntime: no input ${name}`);
      return [name, new Tensor("float32", input.data, [...input.shape])];
    }),
  );
  const [{ name } = { name: "" }] = graph.outputs;
  let output: HostArray | undefined;
  return {
    async run() {
      const outputs = await model.run(tensors);
      const result = entryOf(new Map(Object.entries(outputs)), name);
      output = { shape: result.dims, data: result.data as Float32Array };
    },
    results: () => Promise.resolve(output === undefined ? [] : [toResult(output)]),
    release: () => model.release(),
  };
}

/** `op(... op(op(x, y), y) ..., y)` */
function binaryGraph(operators: readonly string[]): OnnxGraph {
  const nodes = operators.map((operator, i) => ({
    operator,
    inputs: [i === 0 ? "x" : `value${i}`, "y"],
    output: `value${i + 1}`,
  }));
  return {
    inputs: [{ name: "x" }, { name: "y" }],
    outputs: [{ name: `value${operators.length}` }],
    nodes,
  };
}

async function convolution(
  { convolution: { kernel, stride }, gradients }: ConvolutionWork,
  [x, w]: readonly HostArray[],
): Promise<Prepared> {
  if (gradients) throw new Refusal("no gradients in onnxruntime-node");
  if (w === undefined) throw new Error("onnxruntime: no weights");
  const graph: OnnxGraph = {
    inputs: [{ name: "x" }],
    outputs: [{ name: "y" }],
    nodes: [
      { operator: "Conv", inputs: ["x", "w"], output: "y", attributes: window(kernel, stride) },
    ],
    // As a constant it is put into the layout of the kernel once.
    weights: new Map([["w", toOihw(w)]]),
  };
  return await session(graph, { x: images(x) }, toNhwc);
}

function images(x: HostArray | undefined): HostArray | undefined {
  return x === undefined ? undefined : toNchw(x);
}

function window(kernel: number, stride: number): NonNullable<OnnxNode["attributes"]> {
  const padding = paddingOf(kernel);
  return {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
  };
}

/** ResNet-34 with its norms folded, from images "x" to logits. Values of the walk are names. */
function networkGraph(): OnnxGraph {
  const nodes: OnnxNode[] = [];
  const node = (
    operator: string,
    inputs: readonly string[],
    attributes: OnnxNode["attributes"] = {},
  ): string => {
    const output = `value${nodes.length}`;
    nodes.push({ operator, inputs, output, attributes });
    return output;
  };
  const ops: NetworkOps<string> = {
    unit(x, { conv, kernel, stride }, { relu, shortcut }) {
      const inputs = [x, `${conv}.weight`, `${conv}.bias`];
      const convolved = node("Conv", inputs, window(kernel, stride));
      const sum = shortcut === undefined ? convolved : node("Add", [convolved, shortcut]);
      return relu ? node("Relu", [sum]) : sum;
    },
    maxPool: (x) => node("MaxPool", [x], window(3, 2)),
    share: (x) => x,
    head(x) {
      const pooled = node("Flatten", [node("GlobalAveragePool", [x])]);
      return node("Gemm", [pooled, "fc.weight", "fc.bias"], { transB: 1 });
    },
  };
  const logits = walk(ops, "x");
  const weights = foldNorms(initialState());
  return { inputs: [{ name: "x" }], outputs: [{ name: logits }], nodes, weights };
}
