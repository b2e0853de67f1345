import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import {
  decodeTorch,
  float32Values,
  isTorchTensor,
  torchStateDict,
  type TorchDict,
  type TorchValue,
} from "../../data/index.ts";
import { readTorch } from "../../data/node.ts";
import { ArgumentError } from "../../engine/index.ts";
import { sharedData } from "../shared-data.ts";

const folder = sharedData("torch-files");

const read = (name: string) => readTorch(join(folder ?? "", `${name}.pt`));

/** A tensor as `TYPE[shape]: values`; other values as they are. */
function show(value: TorchValue | undefined): unknown {
  if (isTorchTensor(value)) {
    return `${value.dtype}[${value.shape.join()}]: ${[...float32Values(value)].join()}`;
  }
  if (isDict(value)) return Object.fromEntries(Array.from(value, ([k, v]) => [k, show(v)]));
  return Array.isArray(value) ? value.map(show) : value;
}

function isDict(value: TorchValue | undefined): value is TorchDict {
  return value instanceof Map;
}

/** The same without the values: for random numbers, which have to be finite and of a plausible size. */
function showShape(value: TorchValue | undefined): unknown {
  if (isTorchTensor(value)) {
    expect(float32Values(value).every((x) => Math.abs(x) < 40 && x !== 0)).toBe(true);
    return `${value.dtype}[${value.shape.join()}]`;
  }
  if (isDict(value)) return Object.fromEntries(Array.from(value, ([k, v]) => [k, showShape(v)]));
  return value;
}

const { fround } = Math;

/**
 * Files that PyTorch wrote. What is expected is what they were made of: the values are those of the program that wrote them; the random
 * ones begin as those of `torch.manual_seed(42)` do.
 */
describe.skipIf(folder === undefined)(
  "files of PyTorch (skipped where ../shared/data is absent)",
  () => {
    it.each([
      ["float32", `F32[4]: 1,2.5,${fround(-3.7)},0`],
      ["float64", `F64[3]: ${[1.1, 2.2, 3.3].map(fround).join()}`],
      ["float16", "F16[3]: 1.5,-2.25,3.125"],
      ["bfloat16", "BF16[3]: 1.5,-2.5,3.5"],
      ["int64", "I64[4]: 100,-200,300,0"],
      ["int32", "I32[3]: 10,20,-30"],
      ["int16", "I16[3]: 1000,-2000,3000"],
      ["int8", "I8[4]: 127,-128,0,50"],
      ["bool", "BOOL[5]: 1,0,1,1,0"],
      ["tensor_2d", "F32[3,2]: 1,2,3,4,5,6"],
      ["empty", "F32[0]: "],
      ["scalar", "F32[]: 42"],
      ["special_values", "F32[5]: NaN,Infinity,-Infinity,0,1"],
      ["extreme_values", `F32[4]: ${[1e-30, 1e30, -1e-30, -1e30].map(fround).join()}`],
    ])("%s holds %s", async (name, expected) => {
      const file = await read(name);
      expect(file.format).toBe("zip");
      expect(show(file.value)).toEqual({ tensor: expected });
    });

    it("uint8, and one that is mostly zeros", async () => {
      expect(show((await read("uint8")).value)).toMatchInlineSnapshot(`
        {
          "tensor": "U8[4]: 0,128,255,42",
        }
      `);
      const large = torchStateDict(await read("large_shape")).get("tensor");
      expect(large?.shape).toEqual([100, 100]);
      const found = Array.from(large?.data ?? [], Number).flatMap((x, i) =>
        x === 0 ? [] : [[i, x]],
      );
      expect(found).toEqual([
        [0, 1],
        [5050, 2],
        [9999, 3],
      ]);
    });

    it("random numbers of a known seed", async () => {
      const values = torchStateDict(await read("tensor_3d")).get("tensor");
      expect(values?.shape).toEqual([2, 3, 4]);
      const known = [19.2692, 14.8728, 9.0072, -21.0552];
      Array.from(values?.data.slice(0, 4) ?? [], Number).forEach((x, i) => {
        expect(x).toBeCloseTo(known[i] ?? NaN, 3);
      });
      expect(showShape((await read("tensor_4d")).value)).toEqual({ tensor: "F32[2,3,2,2]" });
      expect(showShape((await read("parameter")).value)).toEqual({ param: "F32[3,3]" });
    });

    it("dicts of every kind", async () => {
      expect(show((await read("mixed_types")).value)).toEqual({
        float32: "F32[2]: 1,2",
        int64: "I64[2]: 100,200",
        bool: "BOOL[2]: 1,0",
        float64: `F64[2]: ${fround(1.1)},${fround(2.2)}`,
      });
      expect(show((await read("buffers")).value)).toEqual({
        buffer1: "I32[3]: 1,2,3",
        buffer2: "BOOL[2]: 1,0",
      });
      const state = torchStateDict(await read("state_dict"));
      expect(Array.from(state, ([name, { shape }]) => [name, ...shape])).toEqual([
        ["weight", 3, 4],
        ["bias", 3],
        ["running_mean", 3],
        ["running_var", 3],
      ]);
      expect(show(state.get("running_mean"))).toBe("F32[3]: 0,0,0");
      expect(show(state.get("running_var"))).toBe("F32[3]: 1,1,1");
      expect(showShape((await read("nested_dict")).value)).toEqual({
        layer1: { weight: "F32[2,3]", bias: "F32[2]" },
        layer2: { weight: "F32[4,2]", bias: "F32[4]" },
      });
    });

    it("a checkpoint with the state of an optimizer", async () => {
      const file = await read("checkpoint");
      const weights = {
        "fc1.weight": "F32[10,5]",
        "fc1.bias": "F32[10]",
        "fc2.weight": "F32[3,10]",
        "fc2.bias": "F32[3]",
      };
      expect(showShape(file.value)).toEqual({
        model_state_dict: weights,
        optimizer_state_dict: { state: { "0": { momentum_buffer: "F32[10,5]" } } },
        epoch: 42,
        loss: 0.123,
      });
      expect(showShape(torchStateDict(file))).toEqual(weights);
    });

    it("dicts in dicts, from which a path chooses", async () => {
      const file = await read("complex_structure");
      expect(showShape(file.value)).toEqual({
        metadata: { version: 1, name: "test_model" },
        state: {
          encoder: {
            layer_0: { weight: "F32[4,3]", bias: "F32[4]" },
            layer_1: { weight: "F32[2,4]", bias: "F32[2]" },
          },
          decoder: { weight: "F32[3,2]", bias: "F32[3]" },
        },
        config: { hidden_size: 4, num_layers: 2 },
      });
      const path = ["state", "encoder", "layer_1"];
      expect(showShape(torchStateDict(file, { path }))).toEqual({
        weight: "F32[2,4]",
        bias: "F32[2]",
      });
      expect(() => torchStateDict(file)).toThrow(ArgumentError);
    });

    it("the legacy format: whole storages, offsets in a shared one", async () => {
      const simple = await read("simple_legacy");
      expect(simple.format).toBe("legacy");
      const { weight, ...others } = show(simple.value) as Record<string, unknown>;
      expect(weight).toMatch(/^F32\[2,3\]: /);
      expect(others).toEqual({ bias: "F32[2]: 1,1", running_mean: "F32[2]: 0,0" });

      const views = show((await read("legacy_uncloned_views")).value);
      const from = (start: number) => Array.from({ length: 10 }, (_, i) => start + i).join();
      expect(views).toEqual({ tensor1: `F32[10]: ${from(10)}`, tensor2: `F32[10]: ${from(50)}` });

      const offsets = torchStateDict(await read("legacy_with_offsets"));
      const near = (name: string, expected: readonly number[]) => {
        const values = Array.from(offsets.get(name)?.data ?? [], Number);
        expect(values).toHaveLength(expected.length);
        values.forEach((x, i) => {
          expect(x).toBeCloseTo(expected[i] ?? NaN, 6);
        });
      };
      near(
        "tensor1",
        Array.from({ length: 10 }, (_, i) => 1 + i / 100),
      );
      near("tensor2", [2, 2.1, 2.2, 2.3, 2.4]);
      near("tensor3", [3, 3.1, 3.2, 3.3, 3.4]);

      const shared = (await read("legacy_shared_storage")).value;
      expect(showShape(shared)).toEqual({ view1: "F32[10]", view2: "F32[20]", view3: "F32[10]" });
    });

    it("three letters are refused", async () => {
      await expect(read("broken")).rejects.toThrow(
        `decodeTorch: ${join(folder ?? "", "broken.pt")}: the file is no PyTorch checkpoint: 3 bytes, beginning with 61 62 63. Pass what torch.save wrote, whole`,
      );
    });

    it("refuses the files wherever they are cut", async () => {
      for (const name of ["state_dict", "legacy_with_offsets", "large_shape"]) {
        const bytes = await readFile(join(folder ?? "", `${name}.pt`));
        for (let cut = 0; cut < bytes.length; cut += name === "large_shape" ? 997 : 1) {
          expect(() => decodeTorch(bytes.subarray(0, cut))).toThrow(ArgumentError);
        }
      }
    });
  },
);
