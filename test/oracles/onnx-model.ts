/**
 * @file One-node ONNX models as bytes, so that onnxruntime can be asked what an operator computes. Only the fields of onnx.proto
 * that are used; numbers from https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
 */
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import protobuf from "protobufjs";

const schema = protobuf.parse(`
  syntax = "proto3";
  message ModelProto { int64 ir_version = 1; GraphProto graph = 7; repeated OperatorSetIdProto opset_import = 8; }
  message OperatorSetIdProto { string domain = 1; int64 version = 2; }
  message GraphProto { repeated NodeProto node = 1; string name = 2; repeated ValueInfoProto input = 11; repeated ValueInfoProto output = 12; }
  message NodeProto { repeated string input = 1; repeated string output = 2; string name = 3; string op_type = 4; repeated AttributeProto attribute = 5; }
  message AttributeProto { string name = 1; float f = 2; int64 i = 3; bytes s = 4; repeated float floats = 7; repeated int64 ints = 8; int32 type = 20; }
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

/** Runs one operator of opset 17 on f32 inputs and gives its first output. */
export async function runOnnx(
  operator: string,
  inputs: readonly OnnxInput[],
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
): Promise<{ shape: readonly number[]; data: Float32Array }> {
  const names = inputs.map((_, i) => `input${i}`);
  const value = (name: string) => ({ name, type: { tensor_type: { elem_type: elementFloat } } });
  const node = {
    input: names,
    output: ["output"],
    name: operator,
    op_type: operator,
    attribute: encode(attributes),
  };
  const graph = {
    node: [node],
    name: "oracle",
    input: names.map(value),
    output: [value("output")],
  };
  const model = { ir_version: 8, graph, opset_import: [{ domain: "", version: 17 }] };
  const bytes = Model.encode(Model.fromObject(renamed(model) as Record<string, unknown>)).finish();
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
