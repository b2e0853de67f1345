/** @file A model as an ONNX file, written module by module. */
import { ArgumentError } from "../../engine/index.ts";
import { Conv2d, exportStateDict, type Module } from "../../nn/index.ts";
import { OnnxBuilder, type OnnxValue } from "./builder.ts";
import { checkFileSize, encodeOnnxGraph, type OnnxNode } from "./graph.ts";
import {
  bakePreprocessing,
  describePreprocessing,
  normalizationOf,
  type OnnxPreprocessing,
} from "./preprocessing.ts";

export interface OnnxOptions {
  /** Name of the input, f32 [batch, channels, height, width]; the batch is free. Default: "image". */
  readonly input?: string;
  /** Name of the result. Default: "logits". */
  readonly output?: string;
  /** Channels of the images. Default: those of the model's first Conv2d; without one they are left open. */
  readonly channels?: number;
  /** Pixels. Default: left open, so that the file takes images of every size that the model takes. */
  readonly height?: number;
  /** Pixels. Default: left open. */
  readonly width?: number;
  /** What the training did to pictures: written into the file's metadata as `preprocessing`, JSON. Default: not said. */
  readonly preprocessing?: OnnxPreprocessing;
  /** Makes the normalisation in `preprocessing` the first operators; the input is then RGB of 0 to 255. Default: false. */
  readonly bakePreprocessing?: boolean;
  /** Names of the classes: written into the file's metadata as `labels`, JSON. Default: none. */
  readonly labels?: readonly string[];
  /** More texts for the file's metadata. Default: none. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/**
 * The bytes of an ONNX file (opset 17) that computes what `model` computes in evaluation, with the weights that it has now, as f32 under
 * PyTorch's names. Nothing is traced: each class of modules has an emitter (`registerOnnx`).
 *
 * The input is f32 [batch, channels, height, width], from 0 to 255 with `bakePreprocessing`, otherwise what the model was trained on. The
 * result has the model's shape; images come out as [batch, channels, height, width]. Needs the package `protobufjs`.
 *
 * Source: ONNX, docs/IR.md and docs/Operators.md.
 *
 * @throws ArgumentError for a class without an emitter, with its path in the model; for options of layers that ONNX lacks; for
 * preprocessing or labels that do not fit the channels; when the weights take 2 GiB or more, protobuf's limit; and when `protobufjs`
 * is missing.
 */
export async function encodeOnnx(
  model: Module,
  options: OnnxOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const { input = "image", output = "logits", height = "height", width = "width" } = options;
  checkModelSize(model);
  const graph = new OnnxBuilder(model, await exportStateDict(model), [input, output]);
  const channels = options.channels ?? model.modules().find((m) => m instanceof Conv2d)?.inChannels;
  const image = { name: input, rank: 4, channelsFirst: true, channels, onePixel: false };
  const { x, metadata } = prepare(graph, image, options);
  const result = finish(graph, graph.module(model, x), input);
  checkLabels(options.labels, result);
  return await encodeOnnxGraph({
    inputs: [{ name: input, shape: ["batch", channels ?? "channels", height, width] }],
    outputs: [{ name: output, shape: shapeOf(result, output) }],
    nodes: renamed(graph.nodes, result.name, output),
    weights: graph.weights,
    metadata,
  });
}

/** Before anything is read from the device. */
function checkModelSize(model: Module): void {
  const tensors = new Set(Array.from(model.stateEntries().values(), ({ tensor }) => tensor));
  checkFileSize(Array.from(tensors).reduce((total, { size }) => total + 4 * size, 0));
}

/** What comes before the model, and the file's metadata. */
function prepare(
  graph: OnnxBuilder,
  image: OnnxValue,
  options: OnnxOptions,
): { x: OnnxValue; metadata: Record<string, string> } {
  const { preprocessing, bakePreprocessing: baked = false, labels } = options;
  const metadata = { ...options.metadata, ...(labels && { labels: JSON.stringify(labels) }) };
  if (preprocessing === undefined) {
    if (!baked) return { x: image, metadata };
    throw new ArgumentError(
      "encodeOnnx",
      "there is nothing to bake in: preprocessing undefined",
      "Pass preprocessing, or leave bakePreprocessing out",
    );
  }
  const channels = image.channels ?? preprocessing.mean?.length ?? 3;
  const normalization = normalizationOf(preprocessing, channels);
  const description = describePreprocessing(preprocessing, normalization, {
    input: image.name,
    baked,
  });
  return {
    x: baked ? bakePreprocessing(graph, image, normalization) : image,
    metadata: { ...metadata, preprocessing: description },
  };
}

/** Images leave as they come; a model that does nothing still needs a node. */
function finish(graph: OnnxBuilder, result: OnnxValue, input: string): OnnxValue {
  const ordered = result.rank === 4 ? graph.channelsFirst(result) : graph.channelsLast(result);
  return ordered.name === input ? graph.node("Identity", [ordered]) : ordered;
}

function checkLabels(labels: readonly string[] | undefined, { channels }: OnnxValue): void {
  if (labels === undefined || channels === undefined || labels.length === channels) return;
  throw new ArgumentError(
    "encodeOnnx",
    `there are not as many labels as outputs: ${labels.length} for ${channels}`,
    "Pass the names of all classes, in the order of the outputs",
  );
}

/** The batch is free, the channels are known, and other sizes have names of their own. */
function shapeOf({ rank, channels, channelsFirst }: OnnxValue, output: string) {
  const channelAxis = channelsFirst && rank > 2 ? 1 : rank - 1;
  return Array.from({ length: rank }, (_, axis) => {
    if (axis === channelAxis && channels !== undefined) return channels;
    return axis === 0 ? "batch" : `${output}_${axis}`;
  });
}

/** The nodes with one value under another name. */
function renamed(nodes: readonly OnnxNode[], from: string, to: string): OnnxNode[] {
  const rename = (name: string): string => (name === from ? to : name);
  return nodes.map((node) => ({
    ...node,
    inputs: node.inputs.map(rename),
    output: rename(node.output),
  }));
}
