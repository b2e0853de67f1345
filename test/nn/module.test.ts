/** @file Modules: names, modes, state dicts in and out, printing, hooks, and early release outside recording. */
import { describe, expect, test } from "vitest";
import {
  add,
  backward,
  isRecording,
  keep,
  mul,
  noGrad,
  ones,
  openScope,
  sum,
  tensor,
  zeros,
  type Tensor,
} from "../../engine/index.ts";
import {
  buffer,
  Dropout,
  exportStateDict,
  fromTorchLayout,
  hookForward,
  Identity,
  importStateDict,
  Module,
  parameter,
  ReLU,
  Sequential,
  toTorchLayout,
  type ImportableState,
} from "../../nn/index.ts";
import { SGD } from "../../nn/optim/index.ts";
import { useDevice } from "../device.ts";

const device = useDevice();

/** `x * weight + runningShift`, with a count as a buffer of whole numbers and a weight whose axes PyTorch has the other way. */
class Affine extends Module {
  readonly weight = parameter(
    tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]),
    { torchAxes: [1, 0] },
  );
  readonly runningShift = buffer(zeros([3]));
  readonly numBatchesTracked = buffer(zeros([], { dtype: "i32" }));
  readonly absent: Tensor | undefined = undefined;
  readonly note = "a string is no state";

  override forward(x: Tensor): Tensor {
    return add(mul(x, this.weight), this.runningShift);
  }

  override describe(): string {
    return "size=3";
  }
}

class Net extends Module {
  readonly stem = new Affine();
  readonly blocks = [new Sequential(new Affine(), new ReLU()), new Identity()];
  readonly finalLayer = new Affine();

  override forward(x: Tensor): Tensor {
    return this.finalLayer.forward(
      this.blocks.reduce((y, block) => block.forward(y), this.stem.forward(x)),
    );
  }
}

describe("names", () => {
  test("are paths of fields in snake_case, in the order of the fields", () => {
    const names = [...new Net().stateDict().keys()];
    expect(names).toEqual([
      "stem.weight",
      "stem.running_shift",
      "stem.num_batches_tracked",
      "blocks.0.0.weight",
      "blocks.0.0.running_shift",
      "blocks.0.0.num_batches_tracked",
      "final_layer.weight",
      "final_layer.running_shift",
      "final_layer.num_batches_tracked",
    ]);
  });

  test("parameters, buffers and modules are told apart", () => {
    const net = new Net();
    expect([...net.namedParameters().keys()]).toEqual([
      "stem.weight",
      "blocks.0.0.weight",
      "final_layer.weight",
    ]);
    expect(net.parameters()).toEqual([...net.namedParameters().values()]);
    expect([...net.namedBuffers().keys()].slice(0, 2)).toEqual([
      "stem.running_shift",
      "stem.num_batches_tracked",
    ]);
    expect([...net.namedModules().keys()]).toEqual([
      "",
      "stem",
      "blocks.0",
      "blocks.0.0",
      "blocks.0.1",
      "blocks.1",
      "final_layer",
    ]);
  });

  test("what is shared comes once as a parameter and under each name in the state dict", () => {
    const shared = new Affine();
    const model = new Sequential(shared, shared);
    expect(model.parameters()).toEqual([shared.weight]);
    expect([...model.namedModules().keys()]).toEqual(["", "0"]);
    expect(model.stateDict().get("1.weight")).toBe(shared.weight);
  });

  test("a module that contains itself is no endless loop", () => {
    class Loop extends Affine {
      readonly self: Module = this;
    }
    expect(new Loop().parameters()).toHaveLength(1);
  });

  test("nameTensors puts full names into tensors", () => {
    const net = new Net().nameTensors();
    expect(net.finalLayer.weight.toString()).toBe(
      "Tensor(final_layer.weight: f32[2, 3], requiresGrad)",
    );
  });

  test("a leaf that wants a gradient and is no parameter is refused; detached and computed tensors are not", () => {
    class Forgetful extends Module {
      readonly scale = ones([2], { requiresGrad: true });
      cached: Tensor | undefined;
      override forward(x: Tensor): Tensor {
        return (this.cached = mul(x, this.scale));
      }
    }
    expect(() => new Forgetful().parameters()).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Forgetful: the field scale wants a gradient but is no parameter: Tensor(f32[2], requiresGrad). Assign parameter(t), or detach(t) if it is not to be trained]`,
    );

    const affine = Object.assign(new Affine(), { last: ones([2]) });
    affine.last = affine.forward(ones([2, 3]));
    expect(affine.parameters()).toEqual([affine.weight]);
  });
});

describe("modes", () => {
  test("train and eval reach every module", () => {
    const net = new Net();
    expect(net.modules().every((module) => module.training)).toBe(true);
    net.eval();
    expect(net.modules().some((module) => module.training)).toBe(false);
    net.train();
    expect(net.modules().every((module) => module.training)).toBe(true);
  });

  test("requiresGrad freezes parameters, which stay parameters", () => {
    const net = new Net();
    net.stem.requiresGrad(false);
    expect(net.parameters().map((leaf) => leaf.requiresGrad)).toEqual([false, true, true]);
    backward(sum(net.forward(ones([2, 3]))));
    expect(net.parameters().map((leaf) => leaf.grad !== undefined)).toEqual([false, true, true]);
    net.requiresGrad();
    expect(net.parameters().every((leaf) => leaf.requiresGrad)).toBe(true);
  });

  test("dropout drops in training only", async () => {
    const dropout = new Dropout({ p: 0.5 });
    const x = ones([1000]);
    expect(dropout.eval().forward(x)).toBe(x);
    const dropped = await dropout.train().forward(x).data();
    expect(new Set(dropped)).toEqual(new Set([0, 2]));
    expect(() => new Dropout({ p: 1.5 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Dropout: p is not a probability: 1.5. Use a number from 0 to 1]`,
    );
  });
});

test("toString prints the tree", () => {
  expect(new Net().toString()).toMatchInlineSnapshot(`
    "Net(
      (stem): Affine(size=3)
      (blocks.0): Sequential(
        (0): Affine(size=3)
        (1): ReLU()
      )
      (blocks.1): Identity()
      (final_layer): Affine(size=3)
    )"
  `);
});

describe("state dicts", () => {
  test("loadStateDict copies values, also into parameters that an optimizer has moved", async () => {
    const [a, b] = [new Net(), new Net()];
    const optimizer = new SGD([...a.parameters(), ...b.parameters()], { lr: 0.1 });
    expect(optimizer.parameters).toHaveLength(6);
    a.stem.weight.write([9, 8, 7, 6, 5, 4]);
    a.stem.numBatchesTracked.write([41]);
    expect(b.loadStateDict(a.stateDict())).toEqual({ missing: [], unexpected: [] });
    expect([...(await b.stem.weight.data())]).toEqual([9, 8, 7, 6, 5, 4]);
    expect(await b.stem.numBatchesTracked.item()).toBe(41);
    a.stem.weight.write([0, 0, 0, 0, 0, 0]);
    expect([...(await b.stem.weight.data())]).toEqual([9, 8, 7, 6, 5, 4]);
  });

  test("a state that does not fit is refused with every name, and changes nothing", async () => {
    const net = new Net();
    const state = new Net().stateDict();
    state.delete("stem.weight");
    state.delete("blocks.0.0.running_shift");
    state.delete("blocks.0.0.num_batches_tracked");
    state.set("final_layer.weight", zeros([3, 2]));
    state.set("final_layer.running_shift", ones([3]));
    state.set("head.weight", zeros([1]));
    state.set("head.bias", zeros([1]));
    expect(() => net.loadStateDict(state)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: loadStateDict: the state does not fit Net: missing stem.weight, blocks.0.0.running_shift; unexpected head.weight, head.bias; of another shape final_layer.weight [3, 2] for [2, 3]. Build the model with the options that the state was saved with]`,
    );
    expect(() => net.loadStateDict(state, { strict: false })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: loadStateDict: the state does not fit Net: of another shape final_layer.weight [3, 2] for [2, 3]. Build the model with the options that the state was saved with]`,
    );
    expect([...(await net.finalLayer.runningShift.data())]).toEqual([0, 0, 0]);

    state.delete("final_layer.weight");
    expect(net.loadStateDict(state, { strict: false })).toEqual({
      missing: [
        "stem.weight",
        "blocks.0.0.running_shift",
        "blocks.0.0.num_batches_tracked",
        "final_layer.weight",
      ],
      unexpected: ["head.weight", "head.bias"],
    });
    expect([...(await net.finalLayer.runningShift.data())]).toEqual([1, 1, 1]);
    expect(() => net.loadStateDict(state)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: loadStateDict: the state does not fit Net: missing stem.weight, blocks.0.0.running_shift, final_layer.weight; unexpected head.weight, head.bias. Load the state of the same model, or pass { strict: false }]`,
    );
  });

  test("a missing num_batches_tracked is no error", () => {
    const state = new Net().stateDict();
    for (const name of [...state.keys()])
      if (name.endsWith("num_batches_tracked")) state.delete(name);
    expect(new Net().loadStateDict(state).missing).toHaveLength(3);
  });

  test("export gives PyTorch's axis order, whole numbers as I64", async () => {
    const affine = new Affine();
    affine.numBatchesTracked.write([7]);
    const state = await exportStateDict(affine);
    expect(state.get("weight")).toEqual({
      dtype: "F32",
      shape: [3, 2],
      data: new Float32Array([1, 4, 2, 5, 3, 6]),
    });
    expect(state.get("num_batches_tracked")).toEqual({
      dtype: "I64",
      shape: [],
      data: new BigInt64Array([7n]),
    });
  });

  test("import takes back what export gave, and other types of numbers", async () => {
    const affine = new Affine();
    affine.weight.write([1, 3, 5, 7, 9, 11]);
    const state = new Map<string, ImportableState>(await exportStateDict(affine));
    const other = new Affine();
    importStateDict(other, state);
    expect([...(await other.weight.data())]).toEqual([1, 3, 5, 7, 9, 11]);

    state.set("weight", {
      dtype: "F64",
      shape: [3, 2],
      data: new Float64Array([0, 1, 2, 3, 4, 5]),
    });
    state.set("num_batches_tracked", { dtype: "I64", shape: [], data: BigInt64Array.of(5n) });
    importStateDict(other, state);
    expect([...(await other.weight.data())]).toEqual([0, 2, 4, 1, 3, 5]);
    expect(await other.numBatchesTracked.item()).toBe(5);
  });

  test("import refuses wrong shapes, in PyTorch's order, bit patterns, and too few values", () => {
    const entry = (dtype: string, shape: number[], data: ArrayLike<number>): ImportableState => ({
      dtype,
      shape,
      data,
    });
    const good = entry("F32", [3], new Float32Array(3));
    const load = (weight: ImportableState) => () =>
      importStateDict(
        new Affine(),
        new Map([
          ["weight", weight],
          ["running_shift", good],
        ]),
      );
    expect(load(entry("F32", [2, 3], new Float32Array(6)))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: importStateDict: the state does not fit Affine: of another shape weight [2, 3] for [3, 2]. Build the model with the options that the state was saved with]`,
    );
    expect(load(entry("BF16", [3, 2], new Uint16Array(6)))).toThrowErrorMatchingInlineSnapshot(
      `[DTypeError: importStateDict: weight holds bit patterns, not numbers: BF16. Widen it first: { dtype: "F32", shape, data: float32Values(entry) }]`,
    );
    expect(load(entry("F32", [3, 2], new Float32Array(5)))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: importStateDict: weight has 5 values for the shape [3, 2]. It needs 6]`,
    );
  });

  test("layouts: [height, width, in, out] to [out, in, height, width] and back", () => {
    const shape = [2, 3, 4, 5];
    const data = Float32Array.from({ length: 120 }, (_, i) => i);
    const torch = toTorchLayout({ shape, data }, [3, 2, 0, 1]);
    expect(torch.shape).toEqual([5, 4, 2, 3]);
    for (let o = 0; o < 5; o++)
      for (let i = 0; i < 4; i++)
        for (let y = 0; y < 2; y++)
          for (let x = 0; x < 3; x++) {
            expect(torch.data[((o * 4 + i) * 2 + y) * 3 + x]).toBe(((y * 3 + x) * 4 + i) * 5 + o);
          }
    expect(fromTorchLayout(torch, [3, 2, 0, 1])).toEqual({ shape, data });
  });
});

describe("Sequential", () => {
  /** Adds 1; what it made besides its result is freed with the scope of the layer. */
  class AddOne extends Module {
    override forward(x: Tensor): Tensor {
      return add(add(x, 0.5), 0.5);
    }
  }

  test("feeds each layer with the result of the one before", async () => {
    const model = new Sequential(new AddOne()).append(new AddOne());
    expect(model.length).toBe(2);
    expect(model.at(-1)).toBe([...model][1]);
    expect(await sum(model.forward(zeros([4]))).item()).toBe(8);
    expect(await noGrad(() => sum(model.forward(zeros([4])))).item()).toBe(8);
  });

  test("without layers hands on its input", () => {
    const x = ones([1]);
    expect(new Sequential().forward(x)).toBe(x);
    expect(noGrad(() => new Sequential().forward(x))).toBe(x);
  });

  test("frees intermediates outside recording, but neither its input nor its result nor what was kept", async () => {
    const outputs: Tensor[] = [];
    const layers = Array.from({ length: 5 }, () => new AddOne());
    const model = new Sequential(...layers, new Identity(), new Sequential(new AddOne()));
    for (const layer of layers) hookForward(layer, (output) => outputs.push(output));
    hookForward(layers[1] ?? model, (output) => keep(output));
    const x = zeros([4]);
    const result = noGrad(() => {
      expect(isRecording()).toBe(false);
      return model.forward(x);
    });
    expect(outputs.map((output) => output.isFreed)).toEqual([true, false, true, true, true]);
    expect([...(await result.data())]).toEqual([6, 6, 6, 6]);
    expect([...(await x.data())]).toEqual([0, 0, 0, 0]);
    expect([...(await (outputs[1] ?? x).data())]).toEqual([2, 2, 2, 2]);
  });

  test("its result belongs to the scope around it", () => {
    const model = new Sequential(new AddOne(), new AddOne());
    const scope = openScope();
    const result = noGrad(() => model.forward(zeros([4])));
    expect(result.isFreed).toBe(false);
    scope[Symbol.dispose]();
    expect(result.isFreed).toBe(true);
  });

  test("does not free a tensor that a layer only hands out", async () => {
    const constant = ones([4]);
    class Constant extends Module {
      override forward(): Tensor {
        return constant;
      }
    }
    const result = noGrad(() =>
      new Sequential(new AddOne(), new Constant(), new AddOne()).forward(zeros([4])),
    );
    expect([...(await result.data())]).toEqual([2, 2, 2, 2]);
    expect(constant.isFreed).toBe(false);
  });

  test("memory of inference is that of neighbouring activations, not of all", () => {
    const activation = 4 << 20;
    const model = new Sequential(...Array.from({ length: 20 }, () => new AddOne()));
    using _scope = openScope();
    const x = zeros([activation / 4]);
    const before = device().memory().liveBytes;
    device().buffers.resetPeak();
    const result = noGrad(() => model.forward(x));
    expect(result.isFreed).toBe(false);
    expect(device().memory().liveBytes - before).toBe(activation);
    // Input, intermediate and result of one layer; the first input was there before.
    expect(device().memory().peakBytes - before).toBe(3 * activation);
  });
});

describe("hookForward", () => {
  test("sees input and output of every call until it is stopped", () => {
    const relu = new ReLU();
    const seen: string[] = [];
    const stopFirst = hookForward(relu, (output, input, module) => {
      seen.push(`first ${input.shape.join()} ${output.shape.join()} ${module.constructor.name}`);
    });
    const stopSecond = hookForward(relu, () => seen.push("second"));
    relu.forward(ones([2]));
    stopFirst();
    relu.forward(ones([3]));
    stopSecond();
    stopSecond();
    relu.forward(ones([4]));
    expect(seen).toEqual(["first 2 2 ReLU", "second", "second"]);
    expect(Object.hasOwn(relu, "forward")).toBe(false);
  });
});
