/** @file A graph of ONNX operators as the bytes of an .onnx file. It knows nothing of modules. */
import { ArgumentError, formatBytes } from "../../engine/index.ts";
import { openModelProto } from "./schema.ts";

/** A whole number is an INT attribute; write floats as `{ float: 0.5 }`. */
export type OnnxAttribute = number | readonly number[] | string | { readonly float: number };

/** A constant, row-major. */
export interface OnnxArray {
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

export interface OnnxNode {
  /** The operator's name in the ONNX specification. */
  readonly operator: string;
  /** Names of inputs of the graph, of weights, or of outputs of nodes before; `""` leaves an optional input out. */
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

/** An f32 input or output of a graph. */
export interface OnnxPort {
  readonly name: string;
  /** Sizes, or names of sizes that are free. Default: any shape. */
  readonly shape?: readonly (number | string)[] | undefined;
}

export interface OnnxGraph {
  readonly inputs: readonly OnnxPort[];
  readonly outputs: readonly OnnxPort[];
  /** Each after those whose outputs it reads. */
  readonly nodes: readonly OnnxNode[];
  /** Constants, by name. */
  readonly weights?: ReadonlyMap<string, OnnxArray>;
  /** Texts to be found in the model's `metadata_props`. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** LayerNormalization came with 17; newer ones have nothing that we need. */
const opset = 17;
/** The version of the file format that goes with it. Source: ONNX, docs/Versioning.md. */
const irVersion = 8;
const elementTypes = { float: 1, int64: 7 } as const;
const attributeTypes = { float: 1, int: 2, string: 3, ints: 7 } as const;

/** A protobuf message is smaller than 2 GiB (protobuf.dev, Proto Limits); a mebibyte is left for nodes and names. */
const maxBytes = 2 ** 31 - 2 ** 20;

/**
 * The bytes of an ONNX model of opset 17.
 * @throws ArgumentError when it would not fit into a file of 2 GiB, or the package protobufjs is missing.
 */
export async function encodeOnnxGraph(graph: OnnxGraph): Promise<Uint8Array<ArrayBuffer>> {
  const weights = [...(graph.weights ?? [])];
  checkFileSize(weights.reduce((total, [, { data }]) => total + data.byteLength, 0));
  const Model = await openModelProto();
  const message = Model.fromObject({
    ir_version: irVersion,
    producer_name: "wgrad",
    opset_import: [{ domain: "", version: opset }],
    metadata_props: Object.entries(graph.metadata ?? {}).map(([key, value]) => ({ key, value })),
    graph: {
      name: "graph",
      node: graph.nodes.map(encodeNode),
      initializer: weights.map(encodeTensor),
      input: graph.inputs.map(encodePort),
      output: graph.outputs.map(encodePort),
    },
  });
  return new Uint8Array(Model.encode(message).finish());
}

/**
 * Refuses weights that no ONNX file can hold.
 * @throws ArgumentError for 2 GiB and more, less a little room for the graph.
 */
export function checkFileSize(bytes: number): void {
  if (bytes < maxBytes) return;
  throw new ArgumentError(
    "encodeOnnx",
    `the weights do not fit into one ONNX file, which protobuf limits to 2 GiB: ${formatBytes(bytes)}`,
    "Export a smaller model; weights in files beside the model are not supported",
  );
}

function encodeNode({ operator, inputs, output, attributes = {} }: OnnxNode) {
  return {
    input: [...inputs],
    output: [output],
    name: output,
    op_type: operator,
    attribute: Object.entries(attributes).map(encodeAttribute),
  };
}

function encodeAttribute([name, value]: readonly [string, OnnxAttribute]) {
  if (typeof value === "number") return { name, i: value, type: attributeTypes.int };
  if (typeof value === "string") {
    return { name, s: new TextEncoder().encode(value), type: attributeTypes.string };
  }
  if ("float" in value) return { name, f: value.float, type: attributeTypes.float };
  return { name, ints: [...value], type: attributeTypes.ints };
}

function encodeTensor([name, { shape, data }]: readonly [string, OnnxArray]) {
  return {
    name,
    dims: [...shape],
    data_type: data instanceof Float32Array ? elementTypes.float : elementTypes.int64,
    // raw_data is little-endian, as every machine with WebGPU.
    raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
  };
}

function encodePort({ name, shape }: OnnxPort) {
  const dim = shape?.map((size) =>
    typeof size === "number" ? { dim_value: size } : { dim_param: size },
  );
  return {
    name,
    type: { tensor_type: { elem_type: elementTypes.float, ...(dim && { shape: { dim } }) } },
  };
}
