/** @file Weights from files of any format, told apart by their first bytes. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  decodeWeights,
  encodeSafetensors,
  weightEntry,
  type SafetensorsEntry,
} from "../../data/index.ts";
import { readSafetensors, readWeights } from "../../data/node.ts";
import { checkpoint, legacy, stateDict, storage, tensor } from "./torch-encoder.ts";
import { temporaryFolder } from "./vision/images.ts";

const folder = temporaryFolder();

async function put(name: string, bytes: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, bytes);
  return path;
}

const values = [1, -2, 0.5];
const safetensors = (name: string, entry: SafetensorsEntry) => encodeSafetensors([[name, entry]]);

describe("readWeights", () => {
  it("goes by the content, not by the name", async () => {
    const path = await put("odd.pth", safetensors("a", weightEntry("F32", [3], values)));
    expect([...(await readWeights(path)).entries()]).toEqual([
      ["a", { dtype: "F32", shape: [3], data: Float32Array.from(values) }],
    ]);
  });

  it("reads checkpoints of PyTorch, the legacy format too, under any name", async () => {
    const data = Float64Array.from(values);
    const dict = stateDict({ "module.a": tensor(storage("Double", "0", 3), [3]) });
    const files = [checkpoint(dict, { 0: data }), legacy(dict, [{ key: "0", length: 3, data }])];
    for (const bytes of files) {
      const path = await put("really-torch.safetensors", bytes);
      expect([...(await readWeights(path)).entries()]).toEqual([
        ["a", { dtype: "F32", shape: [3], data: Float32Array.from(values) }],
      ]);
    }
  });

  it.each(["F16", "BF16"] as const)("widens %s", (dtype) => {
    const weights = decodeWeights(safetensors("a", weightEntry(dtype, [3], values)));
    expect(weights.get("a")).toEqual({ dtype: "F32", shape: [3], data: Float32Array.from(values) });
  });

  it("rounds F64 and leaves whole numbers whole", () => {
    const weights = decodeWeights(
      encodeSafetensors([
        ["a", { dtype: "F64", shape: [1], data: Float64Array.of(0.1) }],
        ["n", { dtype: "I64", shape: [], data: BigInt64Array.of(7n) }],
      ]),
    );
    expect(weights.get("a")).toEqual({ dtype: "F32", shape: [1], data: Float32Array.of(0.1) });
    expect(weights.get("n")?.dtype).toBe("I64");
  });

  it("takes module. off the names where all have it", () => {
    const entry = weightEntry("F32", [3], values);
    expect([...decodeWeights(safetensors("module.a", entry)).keys()]).toEqual(["a"]);
    const mixed = encodeSafetensors([
      ["module.a", entry],
      ["b", entry],
    ]);
    expect([...decodeWeights(mixed).keys()]).toEqual(["b", "module.a"]);
  });

  it("names the file and what is wrong with it", async () => {
    const page = await put("page.pth", "<!DOCTYPE html><html>not found</html>");
    await expect(readWeights(page)).rejects.toThrow(
      `decodeWeights: ${page}: the file is neither safetensors nor a PyTorch checkpoint: 37 bytes, beginning with "<!DOCTYPE html><html>not"`,
    );
    const whole = safetensors("a", weightEntry("F32", [3], values));
    const cut = await put("cut.safetensors", whole.subarray(0, -1));
    for (const read of [readWeights, readSafetensors]) {
      await expect(read(cut)).rejects.toThrow(`decodeSafetensors: ${cut}: the file has 11 bytes`);
    }
    await expect(readWeights(join(folder, "none"))).rejects.toThrow("the file cannot be read");
  });
});
