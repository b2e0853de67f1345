/** @file Asks onnxruntime what an operator, or a whole file, computes. The files are written by vision/onnx. */
import { InferenceSession, Tensor as OnnxTensor } from "onnxruntime-node";
import { encodeOnnxGraph, type OnnxAttribute } from "../../vision/onnx/graph.ts";
import type { HostArray } from "./layout.ts";

/** Runs one operator on f32 inputs and gives its first output. */
export async function runOnnx(
  operator: string,
  inputs: readonly HostArray[],
  attributes: Readonly<Record<string, OnnxAttribute>> = {},
): Promise<HostArray> {
  const names = inputs.map((_, i) => `input${i}`);
  const bytes = await encodeOnnxGraph({
    inputs: names.map((name) => ({ name })),
    outputs: [{ name: "output" }],
    nodes: [{ operator, inputs: names, output: "output", attributes }],
  });
  const [result] = await runOnnxFile(bytes, [
    Object.fromEntries(inputs.map((input, i) => [`input${i}`, input])),
  ]);
  if (result === undefined) throw new Error(`onnxruntime: ${operator} gave no output`);
  return result;
}

/** Runs an ONNX file on inputs by name, once for each set of them, and gives the file's only output each time. */
export async function runOnnxFile(
  bytes: Uint8Array,
  feeds: readonly Readonly<Record<string, HostArray>>[],
): Promise<HostArray[]> {
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const [name = ""] = session.outputNames;
  const results: HostArray[] = [];
  for (const feed of feeds) {
    const tensors = Object.entries(feed).map(([input, { shape, data }]) => [
      input,
      new OnnxTensor("float32", data, [...shape]),
    ]);
    const { [name]: output } = await session.run(
      Object.fromEntries(tensors) as Record<string, OnnxTensor>,
    );
    if (output === undefined) throw new Error(`onnxruntime: no output ${name}`);
    results.push({ shape: output.dims, data: output.data as Float32Array });
  }
  await session.release();
  return results;
}
