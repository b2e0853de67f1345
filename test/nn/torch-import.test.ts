import { describe, expect, it } from "vitest";
import { decodeTorch, torchStateDict } from "../../data/index.ts";
import { readTorch } from "../../data/node.ts";
import { BatchNorm1d, importStateDict, Linear, Module } from "../../nn/index.ts";
import type { Tensor } from "../../engine/index.ts";
import { checkpoint, dict, stateDict, storage, tensor } from "../data/torch-encoder.ts";
import { useDevice } from "../device.ts";
import { sharedData } from "../shared-data.ts";

useDevice();

class TwoLayers extends Module {
  readonly fc1 = new Linear({ inFeatures: 5, outFeatures: 10 });
  readonly fc2: Linear;

  constructor(outFeatures: number) {
    super();
    this.fc2 = new Linear({ inFeatures: 10, outFeatures });
  }

  override forward(x: Tensor): Tensor {
    return this.fc2.forward(this.fc1.forward(x));
  }
}

const path = sharedData("torch-files", "checkpoint.pt");

describe.skipIf(path === undefined)(
  "a file of PyTorch (skipped where ../shared/data is absent)",
  () => {
    it("goes into a model", async () => {
      const state = torchStateDict(await readTorch(path ?? ""));
      const model = new TwoLayers(3);
      expect(importStateDict(model, state)).toEqual({ missing: [], unexpected: [] });
      expect(await model.fc1.weight.data()).toEqual(state.get("fc1.weight")?.data);
      expect(await model.fc2.bias?.data()).toEqual(state.get("fc2.bias")?.data);
    });

    it("that does not fit is refused with every name, and changes nothing", async () => {
      const state = new Map(torchStateDict(await readTorch(path ?? "")));
      const bias = state.get("fc1.bias");
      if (bias === undefined) throw new Error("the file lacks fc1.bias");
      state.delete("fc1.bias");
      state.set("head.bias", bias);
      const model = new TwoLayers(4);
      const before = await model.fc1.weight.data();
      expect(() => importStateDict(model, state)).toThrowErrorMatchingInlineSnapshot(
        `[ArgumentError: importStateDict: the state does not fit TwoLayers: missing fc1.bias; unexpected head.bias; of another shape fc2.weight [3, 10] for [4, 10], fc2.bias [3] for [4]. Build the model with the options that the state was saved with]`,
      );
      expect(await model.fc1.weight.data()).toEqual(before);
    });
  },
);

describe("a checkpoint from several devices in half precision, without num_batches_tracked", () => {
  it("goes into a model", async () => {
    const halves = Uint16Array.of(0x3c00, 0x4000, 0x4200, 0x4400);
    const part = (offset: number) => tensor(storage("Half", "0", 4), [1], { offset });
    const entries = { weight: part(0), bias: part(1), running_mean: part(2), running_var: part(3) };
    const parallel = Object.entries(entries).map(([name, piece]) => [`module.${name}`, piece]);
    const weights = stateDict(Object.fromEntries(parallel) as Record<string, Uint8Array>);
    const file = decodeTorch(checkpoint(dict({ state_dict: weights }), { 0: halves }));
    const norm = new BatchNorm1d({ numFeatures: 1 });
    const report = importStateDict(norm, torchStateDict(file));
    expect(report).toEqual({ missing: ["num_batches_tracked"], unexpected: [] });
    expect(await norm.weight?.item()).toBe(1);
    expect(await norm.runningVar?.item()).toBe(4);
  });
});
