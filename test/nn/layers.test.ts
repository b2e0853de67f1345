/** @file Layers: what they compute, their initial state, PyTorch's keys and shapes, printing, wrong calls. */
import { describe, expect, test } from "vitest";
import {
  backward,
  noGrad,
  ones,
  randomNormal,
  relu,
  ShapeError,
  sum,
  tensor,
  WgradError,
  zeros,
  type Tensor,
} from "../../engine/index.ts";
import {
  AdaptiveAvgPool2d,
  AvgPool2d,
  BatchNorm1d,
  BatchNorm2d,
  Conv2d,
  ConvTranspose2d,
  ELU,
  exportStateDict,
  Flatten,
  GELU,
  GlobalAveragePool,
  GlobalMaxPool,
  Identity,
  LayerNorm,
  LeakyReLU,
  Linear,
  MaxPool2d,
  ReLU,
  Sequential,
  Sigmoid,
  SiLU,
  Softmax,
  Tanh,
  type Module,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { expectClose } from "../numeric.ts";

useDevice();

/** Names and shapes of the exported state, in PyTorch's order. */
async function torchShapes(module: Module): Promise<Record<string, readonly number[]>> {
  const state = await exportStateDict(module);
  return Object.fromEntries(Array.from(state, ([name, { shape }]) => [name, shape]));
}

/** 0, 1, 2, ... scaled down, in this shape. */
function counted(shape: readonly number[], scale = 0.1): Tensor {
  const size = shape.reduce((product, n) => product * n, 1);
  return tensor(
    Float32Array.from({ length: size }, (_, i) => scale * (i % 23) - 1),
    { shape },
  );
}

describe("activations", () => {
  const values = [-3, -1, -0.5, 0, 0.5, 2];
  const erf = (x: number): number => {
    // Abramowitz and Stegun 7.1.5: the Taylor series, good for |x| < 3.
    let [term, total] = [x, x];
    for (let n = 1; n < 60; n++) {
      term *= (-x * x) / n;
      total += term / (2 * n + 1);
    }
    return (2 / Math.sqrt(Math.PI)) * total;
  };
  const table: readonly [string, Module, (x: number) => number][] = [
    ["ReLU", new ReLU(), (x) => Math.max(x, 0)],
    ["LeakyReLU", new LeakyReLU(), (x) => (x > 0 ? x : 0.01 * x)],
    ["LeakyReLU 0.2", new LeakyReLU({ negativeSlope: 0.2 }), (x) => (x > 0 ? x : 0.2 * x)],
    ["ELU", new ELU(), (x) => (x > 0 ? x : Math.expm1(x))],
    ["ELU 2", new ELU({ alpha: 2 }), (x) => (x > 0 ? x : 2 * Math.expm1(x))],
    ["GELU", new GELU(), (x) => (x / 2) * (1 + erf(x / Math.SQRT2))],
    ["SiLU", new SiLU(), (x) => x / (1 + Math.exp(-x))],
    ["Sigmoid", new Sigmoid(), (x) => 1 / (1 + Math.exp(-x))],
    ["Tanh", new Tanh(), Math.tanh],
    ["Identity", new Identity(), (x) => x],
  ];

  test.each(table)("%s", async (name, layer, definition) => {
    const out = await layer.forward(tensor(values)).data();
    expectClose(out, values.map(definition), 1e-5, name);
    expect(layer.stateDict().size).toBe(0);
  });

  test("Softmax over the last axis or another one", async () => {
    const x = tensor([
      [0, 1],
      [2, 5],
    ]);
    const parts = (a: number, b: number): number[] => [
      1 / (1 + Math.exp(b - a)),
      1 / (1 + Math.exp(a - b)),
    ];
    expectClose(
      await new Softmax().forward(x).data(),
      [...parts(0, 1), ...parts(2, 5)],
      1e-6,
      "last",
    );
    const [a = NaN, b = NaN] = parts(0, 2);
    const [c = NaN, d = NaN] = parts(1, 5);
    expectClose(await new Softmax({ axis: 0 }).forward(x).data(), [a, c, b, d], 1e-6, "first");
  });

  test("print their options", () => {
    const layers = [
      new ReLU(),
      new LeakyReLU(),
      new ELU({ alpha: 2 }),
      new Softmax({ axis: 1 }),
      new Flatten(),
    ];
    expect(layers.map(String)).toMatchInlineSnapshot(`
      [
        "ReLU()",
        "LeakyReLU(negativeSlope=0.01)",
        "ELU(alpha=2)",
        "Softmax(axis=1)",
        "Flatten(startAxis=1, endAxis=-1)",
      ]
    `);
  });
});

describe("Flatten", () => {
  test("keeps the batch", () => {
    expect(new Flatten().forward(zeros([2, 3, 4, 5])).shape).toEqual([2, 60]);
    expect(new Flatten({ startAxis: 0, endAxis: 1 }).forward(zeros([2, 3, 4])).shape).toEqual([
      6, 4,
    ]);
  });
});

describe("pools", () => {
  test.each<[Module, number[]]>([
    [new MaxPool2d({ kernelSize: 2 }), [2, 2, 3, 3]],
    [new MaxPool2d({ kernelSize: 3, stride: 2, padding: 1 }), [2, 2, 3, 3]],
    [new AvgPool2d({ kernelSize: [2, 3], stride: 1 }), [2, 3, 4, 3]],
    [new AdaptiveAvgPool2d(), [2, 1, 1, 3]],
    [new GlobalAveragePool(), [2, 3]],
    [new GlobalMaxPool(), [2, 3]],
  ])("%s", (pool, shape) => {
    expect(pool.forward(counted([2, 4, 6, 3])).shape).toEqual(shape);
  });

  test("of a constant image give the constant", async () => {
    const constant = ones([1, 4, 4, 2]);
    for (const pool of [
      new MaxPool2d({ kernelSize: 2 }),
      new AvgPool2d({ kernelSize: 2 }),
      new GlobalAveragePool(),
    ]) {
      expect(new Set(await pool.forward(constant).data())).toEqual(new Set([1]));
    }
  });
});

describe("Linear", () => {
  test("multiplies rows by the weight [out, in] and adds the bias", async () => {
    const layer = new Linear({ inFeatures: 2, outFeatures: 3 });
    layer.weight.write([1, 2, 3, 4, 5, 6]);
    layer.bias?.write([10, 20, 30]);
    const out = layer.forward(
      tensor([
        [1, 1],
        [2, 0],
      ]),
    );
    expect(out.shape).toEqual([2, 3]);
    expect([...(await out.data())]).toEqual([13, 27, 41, 12, 26, 40]);
  });

  test("takes any leading axes", async () => {
    const layer = new Linear({ inFeatures: 4, outFeatures: 3 });
    const x = counted([2, 5, 4]);
    const flat = await layer.forward(counted([10, 4])).data();
    const out = layer.forward(x);
    expect(out.shape).toEqual([2, 5, 3]);
    expectClose(await out.data(), flat, 1e-6, "rows");
    expect(layer.forward(zeros([4])).shape).toEqual([3]);
    expect(layer.forward(zeros([0, 4])).shape).toEqual([0, 3]);
  });

  test("without bias; keys and shapes", async () => {
    expect(await torchShapes(new Linear({ inFeatures: 4, outFeatures: 3 }))).toEqual({
      weight: [3, 4],
      bias: [3],
    });
    const plain = new Linear({ inFeatures: 4, outFeatures: 3, bias: false });
    expect(await torchShapes(plain)).toEqual({ weight: [3, 4] });
    expect(plain.forward(zeros([1, 4])).shape).toEqual([1, 3]);
  });

  test("gradients reach weight and bias", async () => {
    const layer = new Linear({ inFeatures: 2, outFeatures: 2 });
    backward(
      sum(
        layer.forward(
          tensor([
            [1, 2],
            [3, 4],
          ]),
        ),
      ),
    );
    expect([...((await layer.weight.grad?.data()) ?? [])]).toEqual([4, 6, 4, 6]);
    expect([...((await layer.bias?.grad?.data()) ?? [])]).toEqual([2, 2]);
  });

  test("wrong calls", () => {
    expect(() => new Linear({ inFeatures: 0, outFeatures: 3 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Linear: inFeatures is not a whole number >= 1: 0. Pass a whole number]`,
    );
    expect(
      () => new Linear({ inFeatures: 3, outFeatures: 2.5 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Linear: outFeatures is not a whole number >= 1: 2.5. Pass a whole number]`,
    );
    const layer = new Linear({ inFeatures: 784, outFeatures: 10 });
    expect(() => layer.forward(zeros([2, 28, 28, 1]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: Linear: the last axis of x is not inFeatures: [2, 28, 28, 1] for 784. Put a Flatten before the layer, or change inFeatures]`,
    );
    expect(() => layer.forward(zeros([]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: Linear: the last axis of x is not inFeatures: [] for 784. Put a Flatten before the layer, or change inFeatures]`,
    );
  });
});

describe("Conv2d", () => {
  test.each([
    [{ kernelSize: 3 }, [2, 6, 7, 8], [8, 4, 3, 3]],
    [{ kernelSize: [3, 1] as const, stride: 2, padding: 1 }, [2, 4, 6, 8], [8, 4, 3, 1]],
    [{ kernelSize: 3, padding: "same" as const, dilation: 2 }, [2, 8, 9, 8], [8, 4, 3, 3]],
    [{ kernelSize: 3, padding: "same" as const, stride: 2 }, [2, 4, 5, 8], [8, 4, 3, 3]],
    [{ kernelSize: 2, padding: [1, 0, 0, 1] as const }, [2, 8, 9, 8], [8, 4, 2, 2]],
    [{ kernelSize: 1, groups: 4 }, [2, 8, 9, 8], [8, 1, 1, 1]],
    [
      { kernelSize: 5, stride: [1, 2] as const, padding: [2, 0] as const, groups: 2 },
      [2, 8, 3, 8],
      [8, 2, 5, 5],
    ],
  ])("%j", async (options, outShape, weightShape) => {
    const layer = new Conv2d({ inChannels: 4, outChannels: 8, ...options });
    expect(layer.forward(zeros([2, 8, 9, 4])).shape).toEqual(outShape);
    expect(await torchShapes(layer)).toEqual({ weight: weightShape, bias: [8] });
  });

  test("computes the sum over the window, with weights from PyTorch's order", async () => {
    // One window: 2 x 2 pixels of 2 channels.
    const layer = new Conv2d({ inChannels: 2, outChannels: 1, kernelSize: 2 });
    const weight = (await exportStateDict(layer)).get("weight");
    const bias = await layer.bias?.item();
    const x = counted([1, 2, 2, 2], 1);
    const pixels = await x.data();
    let expected = bias ?? NaN;
    for (let c = 0; c < 2; c++)
      for (let y = 0; y < 2; y++)
        for (let column = 0; column < 2; column++) {
          expected +=
            Number(weight?.data[(c * 2 + y) * 2 + column]) *
            (pixels[(y * 2 + column) * 2 + c] ?? NaN);
        }
    expect(await layer.forward(x).item()).toBeCloseTo(expected, 5);
  });

  test("PyTorch's initial values: weight and bias within 1 / sqrt(fanIn)", async () => {
    const layer = new Conv2d({ inChannels: 16, outChannels: 64, kernelSize: 3, groups: 2 });
    const bound = 1 / Math.sqrt(9 * 8);
    for (const values of [await layer.weight.data(), (await layer.bias?.data()) ?? []]) {
      const largest = Math.max(...Array.from(values, Math.abs));
      expect(largest).toBeLessThanOrEqual(bound);
      expect(largest).toBeGreaterThan(0.9 * bound);
    }
  });

  test("initial values of one's own choice", async () => {
    const layer = new Conv2d({
      ...{ inChannels: 1, outChannels: 2, kernelSize: 1 },
      weightInit: (weight) => {
        weight.write([3, 4]);
      },
    });
    expect([...(await layer.weight.data())]).toEqual([3, 4]);
  });

  test("prints what is not usual", () => {
    const options = { inChannels: 4, outChannels: 8, kernelSize: 3 };
    const layers = [
      new Conv2d(options),
      new Conv2d({ ...options, stride: 2, padding: [1, 2], dilation: 2, groups: 4, bias: false }),
    ];
    expect(layers.map(String)).toMatchInlineSnapshot(`
      [
        "Conv2d(inChannels=4, outChannels=8, kernelSize=3, stride=1)",
        "Conv2d(inChannels=4, outChannels=8, kernelSize=3, stride=2, padding=[1, 2], dilation=2, groups=4, bias=false)",
      ]
    `);
  });

  test("wrong calls", () => {
    const good = { inChannels: 4, outChannels: 8, kernelSize: 3 };
    expect(() => new Conv2d({ ...good, inChannels: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Conv2d: inChannels is not a whole number >= 1: 0. Pass a whole number]`,
    );
    expect(() => new Conv2d({ ...good, kernelSize: [3, 0] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Conv2d: kernelSize is not a whole number >= 1, nor two: [3, 0]. Pass one number, or [height, width]]`,
    );
    expect(() => new Conv2d({ ...good, stride: 0 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Conv2d: stride is not a whole number >= 1, nor two: 0. Pass one number, or [height, width]]`,
    );
    expect(() => new Conv2d({ ...good, padding: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Conv2d: padding is not a whole number >= 0, nor two: -1. Pass one number, or [height, width]]`,
    );
    expect(
      () => new Conv2d({ ...good, padding: [0, 1, 2, 0.5] }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Conv2d: padding is not made of whole numbers >= 0: [0, 1, 2, 0.5]. Pass one number, [height, width], or [top, bottom, left, right]]`,
    );
    expect(() => new Conv2d({ ...good, groups: 3 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Conv2d: groups does not divide the channels: 3 for 4 in and 8 out. Use a common divisor; groups = inChannels is a depthwise convolution]`,
    );
    const layer = new Conv2d(good);
    // The messages are the op's, and pinned there.
    expect(() => layer.forward(zeros([2, 8, 8, 3]))).toThrow(ShapeError);
    expect(() => layer.forward(zeros([2, 2, 2, 4]))).toThrow(WgradError);
  });
});

describe("ConvTranspose2d", () => {
  const options = { inChannels: 6, outChannels: 4, kernelSize: 3, stride: 2, padding: 1 };

  test("keys and shapes are PyTorch's, its result that of the formula", async () => {
    const layer = new ConvTranspose2d({ ...options, outputPadding: 1, groups: 2 });
    expect(await torchShapes(layer)).toEqual({ weight: [6, 2, 3, 3], bias: [4] });
    expect(layer.forward(zeros([2, 5, 6, 6])).shape).toEqual([2, 10, 12, 4]);
    expect(new ConvTranspose2d(options).forward(zeros([2, 5, 6, 6])).shape).toEqual([2, 9, 11, 4]);
  });

  test("is the input gradient of a convolution with the same weight", async () => {
    const conv = new Conv2d({ ...options, inChannels: 4, outChannels: 6, bias: false });
    const transposed = new ConvTranspose2d({ ...options, bias: false });
    transposed.loadStateDict(conv.stateDict());
    const x = tensor(new Float32Array(9 * 11 * 4), { shape: [1, 9, 11, 4], requiresGrad: true });
    const dy = randomNormal([1, 5, 6, 6]);
    backward(conv.forward(x), { gradient: dy });
    const dx = (await x.grad?.data()) ?? [];
    expectClose(await transposed.forward(dy).data(), dx, 1e-5, "out");
  });

  test("a single pixel spreads the kernel and the bias", async () => {
    const layer = new ConvTranspose2d({ inChannels: 1, outChannels: 1, kernelSize: 2 });
    layer.weight.write([1, 2, 3, 4]);
    layer.bias?.write([10]);
    expect([...(await layer.forward(tensor([[[[2]]]])).data())]).toEqual([12, 14, 16, 18]);
  });

  test("initial values as PyTorch's, whose fan in is that of the result's channels", async () => {
    const layer = new ConvTranspose2d({ ...options, inChannels: 64, outChannels: 16 });
    const bound = 1 / Math.sqrt(9 * 16);
    const largest = Math.max(...Array.from(await layer.weight.data(), Math.abs));
    expect(largest).toBeLessThanOrEqual(bound);
    expect(largest).toBeGreaterThan(0.99 * bound);
  });

  test("prints its options; multiply-adds", () => {
    const layer = new ConvTranspose2d({ ...options, outputPadding: [1, 0] });
    expect(String(layer)).toMatchInlineSnapshot(
      `"ConvTranspose2d(inChannels=6, outChannels=4, kernelSize=3, stride=2, padding=1, outputPadding=[1, 0])"`,
    );
    expect(layer.multiplyAdds([2, 5, 6, 6])).toBe(2 * 5 * 6 * 6 * 4 * 9);
  });

  test("wrong calls", () => {
    expect(() => new ConvTranspose2d({ ...options, groups: 4 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ConvTranspose2d: groups does not divide the channels: 4 for 6 in and 4 out. Use a common divisor; groups = inChannels is a depthwise convolution]`,
    );
    expect(
      () => new ConvTranspose2d({ ...options, outputPadding: -1 }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: ConvTranspose2d: outputPadding is not a whole number >= 0, nor two: -1. Pass one number, or [height, width]]`,
    );
    expect(() => new ConvTranspose2d(options).forward(zeros([1, 4, 4, 4]))).toThrow(ShapeError);
  });
});

describe("BatchNorm", () => {
  test("normalizes by the batch in training and moves the running statistics", async () => {
    const layer = new BatchNorm1d({ numFeatures: 1 });
    const out = await layer.forward(tensor([[1], [2], [3], [6]])).data();
    // Mean 3, biased variance 3.5, unbiased 14 / 3.
    expectClose(
      out,
      [-2, -1, 0, 3].map((d) => d / Math.sqrt(3.5 + 1e-5)),
      1e-5,
      "out",
    );
    const state = await exportStateDict(layer);
    expect(state.get("running_mean")?.data[0]).toBeCloseTo(0.3, 6);
    expect(state.get("running_var")?.data[0]).toBeCloseTo(0.9 + 0.1 * (14 / 3), 6);
    expect(state.get("num_batches_tracked")?.data[0]).toBe(1n);
  });

  test("uses the running statistics in evaluation and leaves them alone", async () => {
    const layer = new BatchNorm2d({ numFeatures: 2 }).eval();
    layer.loadStateDict(
      new Map([
        ["running_mean", tensor([1, 2])],
        ["running_var", tensor([4, 9])],
        ["weight", tensor([2, 3])],
        ["bias", tensor([0.5, 0])],
      ]),
    );
    const out = await layer.forward(tensor([[[[3, 5]]]])).data();
    expectClose(out, [2.5, 3], 1e-5, "out");
    const state = await exportStateDict(layer);
    expect([...(state.get("running_mean")?.data ?? [])]).toEqual([1, 2]);
    expect(state.get("num_batches_tracked")?.data[0]).toBe(0n);
  });

  test("counts batches on the host and writes the count when the state is read or loaded", async () => {
    const [a, b] = [new BatchNorm1d({ numFeatures: 2 }), new BatchNorm1d({ numFeatures: 2 })];
    for (let i = 0; i < 3; i++) noGrad(() => a.forward(counted([4, 2])));
    b.forward(counted([4, 2]));
    expect(await a.stateDict().get("num_batches_tracked")?.item()).toBe(3);
    b.loadStateDict(a.stateDict());
    b.forward(counted([4, 2]));
    expect(await b.namedBuffers().get("num_batches_tracked")?.item()).toBe(4);
    a.eval().forward(counted([4, 2]));
    expect(await a.stateDict().get("num_batches_tracked")?.item()).toBe(3);
  });

  test("adds a residual and applies relu in the same kernel", async () => {
    const x = randomNormal([2, 3, 3, 8]);
    const residual = randomNormal([2, 3, 3, 8]);
    const options = { numFeatures: 8, trackRunningStats: false };
    const plain = await new BatchNorm2d(options).forward(x).data();
    const r = await residual.data();
    const fused = await new BatchNorm2d({ ...options, activation: "relu" })
      .forward(x, residual)
      .data();
    expectClose(
      fused,
      Array.from(plain, (value, i) => Math.max(0, value + (r[i] ?? NaN))),
      1e-5,
      "fused",
    );
    const activated = await new BatchNorm2d({ ...options, activation: "relu" }).forward(x).data();
    expectClose(activated, await relu(tensor(plain)).data(), 1e-5, "activated");
  });

  test("keys and shapes, with and without affine and statistics", async () => {
    const all = {
      weight: [3],
      bias: [3],
      running_mean: [3],
      running_var: [3],
      num_batches_tracked: [],
    };
    expect(await torchShapes(new BatchNorm2d({ numFeatures: 3 }))).toEqual(all);
    expect(new BatchNorm2d({ numFeatures: 3, affine: false }).parameters()).toEqual([]);
    const stateless = new BatchNorm1d({ numFeatures: 3, affine: false, trackRunningStats: false });
    expect(stateless.stateDict().size).toBe(0);
    // Without running statistics, evaluation uses those of the batch.
    expectClose(
      await stateless
        .eval()
        .forward(counted([4, 3]))
        .data(),
      await stateless
        .train()
        .forward(counted([4, 3]))
        .data(),
      1e-6,
      "evaluation",
    );
  });

  test("takes sequences, and prints its options", () => {
    expect(new BatchNorm1d({ numFeatures: 3 }).forward(counted([2, 5, 3])).shape).toEqual([
      2, 5, 3,
    ]);
    const layers = [
      new BatchNorm1d({ numFeatures: 3, affine: false, trackRunningStats: false }),
      new BatchNorm2d({ numFeatures: 3, momentum: 0.01, eps: 1e-3, activation: "relu" }),
    ];
    expect(layers.map(String)).toMatchInlineSnapshot(`
      [
        "BatchNorm1d(numFeatures=3, eps=0.00001, momentum=0.1, affine=false, trackRunningStats=false)",
        "BatchNorm2d(numFeatures=3, eps=0.001, momentum=0.01, activation=relu)",
      ]
    `);
  });

  test("wrong calls", () => {
    expect(() => new BatchNorm2d({ numFeatures: -1 })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: BatchNorm2d: numFeatures is not a whole number >= 1: -1. Pass a whole number]`,
    );
    const two = new BatchNorm2d({ numFeatures: 3 });
    expect(() => two.forward(zeros([2, 3]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: BatchNorm2d: x is no batch of images with numFeatures channels: [2, 3] for 3. It takes [batch, height, width, numFeatures]]`,
    );
    expect(() => two.forward(zeros([2, 4, 4, 5]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: BatchNorm2d: x is no batch of images with numFeatures channels: [2, 4, 4, 5] for 3. It takes [batch, height, width, numFeatures]]`,
    );
    expect(() => two.forward(zeros([1, 1, 1, 3]))).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: batchNorm: Expected more than 1 value per channel when training: got input [1, 1, 1, 3]. Use a larger batch (drop a last batch of one), or training: false]`,
    );
    const one = new BatchNorm1d({ numFeatures: 3 });
    expect(() => one.forward(zeros([2, 4, 4, 3]))).toThrowErrorMatchingInlineSnapshot(
      `[ShapeError: BatchNorm1d: x is no batch of vectors of numFeatures: [2, 4, 4, 3] for 3. It takes [batch, numFeatures] or [batch, length, numFeatures]]`,
    );
  });
});

describe("LayerNorm", () => {
  test("normalizes each row, with a weight and a bias for each element", async () => {
    const layer = new LayerNorm({ normalizedShape: 3 });
    layer.weight?.write([1, 2, 1]);
    layer.bias?.write([0, 0, 5]);
    const x = tensor([
      [1, 2, 3],
      [0, 0, 6],
    ]);
    const [a, b] = [1 / Math.sqrt(2 / 3 + 1e-5), 1 / Math.sqrt(8 + 1e-5)];
    const expected = [-a, 0, a + 5, -2 * b, -4 * b, 4 * b + 5];
    expectClose(await layer.forward(x).data(), expected, 1e-5, "rows");
  });

  test("over several axes; keys, shapes and options", async () => {
    const layer = new LayerNorm({ normalizedShape: [2, 3] });
    expect(await torchShapes(layer)).toEqual({ weight: [2, 3], bias: [2, 3] });
    const out = await layer.forward(counted([4, 2, 3])).data();
    const [a = NaN, b = NaN, c = NaN, d = NaN, e = NaN, f = NaN] = out;
    expect(a + b + c + d + e + f).toBeCloseTo(0, 4);
    const plain = new LayerNorm({ normalizedShape: 3, affine: false });
    expect(plain.stateDict().size).toBe(0);
    expect(plain.forward(counted([2, 3])).shape).toEqual([2, 3]);
    const layers = [layer, plain, new LayerNorm({ normalizedShape: 3, bias: false, eps: 0.1 })];
    expect(layers.map(String)).toMatchInlineSnapshot(`
      [
        "LayerNorm(normalizedShape=[2, 3], eps=0.00001)",
        "LayerNorm(normalizedShape=[3], eps=0.00001, affine=false)",
        "LayerNorm(normalizedShape=[3], eps=0.1, bias=false)",
      ]
    `);
  });

  test("wrong calls", () => {
    expect(() => new LayerNorm({ normalizedShape: [3, 0] })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: LayerNorm: normalizedShape is not a whole number >= 1: 0. Pass a whole number]`,
    );
    expect(() => new LayerNorm({ normalizedShape: 3 }).forward(zeros([2, 4]))).toThrow(ShapeError);
  });
});

describe("Sequential", () => {
  test("keys are positions", () => {
    const model = new Sequential(
      new Conv2d({ inChannels: 1, outChannels: 2, kernelSize: 3, bias: false }),
      new BatchNorm2d({ numFeatures: 2 }),
      new ReLU(),
      new Sequential(new Flatten(), new Linear({ inFeatures: 8, outFeatures: 3 })),
    );
    expect([...model.namedParameters().keys()]).toEqual([
      "0.weight",
      "1.weight",
      "1.bias",
      "3.1.weight",
      "3.1.bias",
    ]);
    expect(model.forward(zeros([2, 4, 4, 1])).shape).toEqual([2, 3]);
    expect(model.toString()).toMatchInlineSnapshot(`
      "Sequential(
        (0): Conv2d(inChannels=1, outChannels=2, kernelSize=3, stride=1, bias=false)
        (1): BatchNorm2d(numFeatures=2, eps=0.00001, momentum=0.1)
        (2): ReLU()
        (3): Sequential(
          (0): Flatten(startAxis=1, endAxis=-1)
          (1): Linear(inFeatures=8, outFeatures=3, bias=true)
        )
      )"
    `);
  });
});
