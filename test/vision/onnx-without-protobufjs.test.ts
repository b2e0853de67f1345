/** @file What happens where the optional package is not installed. */
import { expect, test, vi } from "vitest";
import { encodeOnnxGraph } from "../../vision/onnx/graph.ts";

vi.mock("protobufjs", () => {
  throw new Error("Cannot find package 'protobufjs'");
});

test("the error says what to install", async () => {
  await expect(encodeOnnxGraph({ inputs: [], outputs: [], nodes: [] })).rejects.toThrow(
    /^encodeOnnx: the npm package protobufjs, .* cannot be loaded: .*\. Run `npm install protobufjs`$/s,
  );
});
