/**
 * @file ONNX models as bytes, so that onnxruntime can be asked what an operator, or a network, computes. Only the fields of
 * onnx.proto that are used; numbers from https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import protobuf from "protobufjs";

const schema = protobuf.parse(`
  syntax = "proto3";
  message ModelProto { int64 ir_version = 1; GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8; }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }
  message GraphProto { repeated NodeProto node = 1; string name = 2; repeated TensorProto initializer = 5; repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12; }
  message NodeProto { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; repeated AttributeProto attribute = 5; }
  message AttributeProto { string name = 1; float f = 2; int64 i = 3; bytes s = 4; repeated float floats = 7; repeated int64 ints = 8; int32 type = 20; }
  message TensorProto { repeated int64 dims = 1; int32 data_type = 2; string name = 8; bytes raw_data = 9; }
  message ValueInfoProto { string name = 1; TypeProto type = 2; }
  message TypeProto { TensorType tensor_type = 1; message TensorType { int32 elem_type = 1; } }
`).root;
const Model = schema.lookupType("ModelProto");

/** A whole number is an INT attribute; write floats as `{ float: 0.5 }`. */
export type OnnxAttribute = number | readonly number[] | string | { readonly float: number };

export interface OnnxInput {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

const elementFloat = 1;

export interface OnnxNode {
  readonly operator: string;
  /** Names of inputs of the model, of weights, or of outputs of nodes before. */
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes?: Readonly<Record<string, OnnxAttribute>>;
}

export interface OnnxGraph {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly nodes: readonly OnnxNode[];
  /** Constants of the model, by name. */
  readonly weights?: ReadonlyMap<string, OnnxInput>;
}

/** A model of opset 17 whose inputs, outputs and weights are all f32. */
export function encodeOnnxModel({ inputs, outputs, nodes, weights }: OnnxGraph): Uint8Array {
  const value = (name: string) => ({ name, type: { tensor_type: { elem_type: elementFloat } } });
  const graph = {
    name: "graph",
    node: nodes.map(({ operator, inputs, output, attributes = {} }) => ({
      input: inputs,
      output: [output],
      name: output,
      op_type: operator,
      attribute: encode(attributes),
    })),
    initializer: Array.from(weights ?? [], ([name, { shape, data }]) => ({
      name,
      dims: shape,
      data_type: elementFloat,
      raw_data: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    })),
    input: inputs.map(value),
    output: outputs.map(value),
  };
  const model = { ir_version: 8, graph, opset_import: [{ domain: "", version: 17 }] };
  return Model.encode(Model.fromObject(renamed(model) as Record<string, unknown>)).finish();
}

/** Runs one operator on f32 inputs and gives its first output. */
export async function runOnnx(
  operator: string,
  inputs: readonly OnnxInput[],
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
): Promise<{ shape: readonly number[]; data: Float32Array }> {
  const names = inputs.map((_, i) => `input${i}`);
  const nodes = [{ operator, inputs: names, output: "output", attributes }];
  const bytes = encodeOnnxModel({ inputs: names, outputs: ["output"], nodes });
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const feeds = Object.fromEntries(
    inputs.map(({ shape, data }, i) => [`input${i}`, new OnnxTensor("float32", data, [...shape])]),
  );
  const { output } = await session.run(feeds);
  if (output === undefined) throw new Error(`onnxruntime: ${operator} gave no output`);
  const result = { shape: output.dims, data: output.data as Float32Array };
  await session.release();
  return result;
}

function encode(attributes: Readonly<Record<string, OnnxAttribute>>) {
  return Object.entries(attributes).map(([name, attribute]) => {
    if (typeof attribute === "number") return { name, i: attribute, type: 2 };
    if (typeof attribute === "string") return { name, s: Buffer.from(attribute), type: 3 };
    if ("float" in attribute) return { name, f: attribute.float, type: 1 };
    return { name, ints: [...attribute], type: 7 };
  });
}

/** protobufjs names fields in camelCase. */
function renamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renamed);
  if (value === null || typeof value !== "object" || ArrayBuffer.isView(value)) return value;
  const camel = (key: string): string =>
    key.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [camel(key), renamed(entry)]),
  );
}
