/** @file Forward results against onnxruntime, which shares no code with wgrad: conv with every option, pools, norms, products. */
import { describe, expect, test } from "vitest";
import {
  avgPool2d,
  batchNorm,
  conv2d,
  conv2dTranspose,
  globalAveragePool,
  globalMaxPool,
  layerNorm,
  logSoftmax,
  matmul,
  maxPool2d,
  add,
  softmax,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import type { OnnxAttribute } from "../../vision/onnx/graph.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { permuted, randomArray, toNchw, toNhwc, toOihw, type HostArray } from "./layout.ts";
import { runOnnx } from "./onnx-model.ts";
import { compareWith } from "./worst-error.ts";

useDevice();
const compare = compareWith("onnxruntime");
const upload = ({ shape, data }: HostArray): Tensor => tensor(data, { shape });

/** Keeps sums of many terms near 1, where the error is relative and not absolute. */
const scaled = ({ shape, data }: HostArray, factor: number): HostArray => ({
  shape,
  data: data.map((value) => value * factor),
});

/** Compares an image op with an ONNX operator on the same NHWC input. */
async function compareImages(
  what: string,
  ours: Tensor,
  operator: string,
  inputs: readonly HostArray[],
  attributes: Readonly<Record<string, OnnxAttribute>>,
): Promise<void> {
  const theirs = await runOnnx(operator, inputs, attributes);
  const expected = theirs.shape.length === 4 ? toNhwc(theirs) : theirs;
  expect(ours.shape).toEqual(expected.shape);
  compare(what, await ours.data(), expected.data);
}

interface ConvOptions {
  readonly image: readonly [n: number, h: number, w: number];
  readonly channels: readonly [input: number, output: number];
  readonly kernel: readonly [number, number];
  readonly stride?: readonly [number, number];
  /** top, bottom, left, right */
  readonly padding?: readonly [number, number, number, number];
  readonly dilation?: readonly [number, number];
  readonly groups?: number;
  readonly bias?: boolean;
}

const convolutions: readonly ConvOptions[] = [
  { image: [2, 8, 8], channels: [4, 8], kernel: [3, 3], padding: [1, 1, 1, 1] },
  { image: [1, 1, 1], channels: [1, 1], kernel: [1, 1] },
  { image: [3, 7, 5], channels: [3, 5], kernel: [3, 3], padding: [1, 1, 1, 1], bias: true },
  { image: [2, 9, 11], channels: [16, 32], kernel: [3, 3], stride: [2, 2], padding: [1, 1, 1, 1] },
  {
    image: [1, 28, 28],
    channels: [1, 16],
    kernel: [5, 5],
    stride: [2, 2],
    padding: [2, 2, 2, 2],
    bias: true,
  },
  { image: [2, 23, 21], channels: [3, 64], kernel: [7, 7], stride: [2, 2], padding: [3, 3, 3, 3] },
  { image: [2, 6, 6], channels: [64, 32], kernel: [1, 1] },
  { image: [2, 7, 7], channels: [32, 64], kernel: [1, 1], stride: [2, 2] },
  { image: [2, 10, 9], channels: [8, 8], kernel: [3, 2], stride: [1, 2], padding: [0, 2, 1, 0] },
  { image: [1, 12, 12], channels: [4, 6], kernel: [3, 3], dilation: [2, 3], padding: [2, 2, 3, 3] },
  {
    image: [2, 8, 8],
    channels: [8, 12],
    kernel: [3, 3],
    padding: [1, 1, 1, 1],
    groups: 4,
    bias: true,
  },
  { image: [2, 8, 8], channels: [12, 12], kernel: [3, 3], padding: [1, 1, 1, 1], groups: 12 },
  { image: [2, 8, 8], channels: [6, 18], kernel: [3, 3], stride: [2, 2], groups: 6, bias: true },
  { image: [1, 14, 14], channels: [256, 256], kernel: [3, 3], padding: [1, 1, 1, 1] },
  { image: [1, 7, 7], channels: [512, 512], kernel: [3, 3], padding: [1, 1, 1, 1] },
];

describe("conv2d", () => {
  test.each(convolutions.map((options) => [JSON.stringify(options), options] as const))(
    "%s",
    async (what, options) => {
      const {
        image,
        channels,
        kernel,
        stride = [1, 1],
        padding = [0, 0, 0, 0],
        dilation = [1, 1],
        groups = 1,
      } = options;
      const random = seededRandom(1);
      const x = randomArray([...image, channels[0]], random);
      const terms = (kernel[0] * kernel[1] * channels[0]) / groups;
      const w = scaled(
        randomArray([...kernel, channels[0] / groups, channels[1]], random),
        terms ** -0.5,
      );
      const bias = options.bias === true ? randomArray([channels[1]], random) : undefined;
      const ours = conv2d(upload(x), upload(w), {
        stride,
        padding,
        dilation,
        groups,
        ...(bias === undefined ? {} : { bias: upload(bias) }),
      });
      const [top, bottom, left, right] = padding;
      const attributes = {
        strides: stride,
        pads: [top, left, bottom, right],
        dilations: dilation,
        group: groups,
      };
      const inputs = [toNchw(x), toOihw(w), ...(bias === undefined ? [] : [bias])];
      await compareImages(`conv2d ${what}`, ours, "Conv", inputs, attributes);
    },
  );

  test("padding 'same'", async () => {
    const random = seededRandom(2);
    for (const [size, kernel, stride] of [
      [8, 3, 1],
      [7, 4, 1],
      [9, 3, 2],
      [10, 5, 3],
    ] as const) {
      const x = randomArray([1, size, size, 4], random);
      const w = randomArray([kernel, kernel, 4, 4], random);
      const ours = conv2d(upload(x), upload(w), { stride, padding: "same" });
      const attributes = { strides: [stride, stride], auto_pad: "SAME_UPPER" };
      await compareImages(
        `conv2d same ${size} ${kernel} ${stride}`,
        ours,
        "Conv",
        [toNchw(x), toOihw(w)],
        attributes,
      );
    }
  });
});

describe("conv2dTranspose", () => {
  test.each([
    { stride: 1, padding: 0, outputPadding: 0, dilation: 1, groups: 1 },
    { stride: 2, padding: 1, outputPadding: 1, dilation: 1, groups: 1 },
    { stride: 3, padding: 1, outputPadding: 2, dilation: 2, groups: 1 },
    { stride: 2, padding: 0, outputPadding: 0, dilation: 1, groups: 2 },
  ])("%o", async ({ stride, padding, outputPadding, dilation, groups }) => {
    const random = seededRandom(3);
    const x = randomArray([2, 5, 6, 8], random);
    // ONNX and PyTorch: [in, out / groups, kh, kw].
    const theirs = randomArray([8, 6 / groups, 3, 3], random);
    const w = permuted(theirs, [2, 3, 1, 0]);
    const ours = conv2dTranspose(upload(x), upload(w), {
      stride,
      padding,
      outputPadding,
      dilation,
      groups,
    });
    const pair = (value: number): number[] => [value, value];
    const attributes = {
      strides: pair(stride),
      pads: [padding, padding, padding, padding],
      output_padding: pair(outputPadding),
      dilations: pair(dilation),
      group: groups,
    };
    await compareImages(
      `conv2dTranspose ${stride} ${padding}`,
      ours,
      "ConvTranspose",
      [toNchw(x), theirs],
      attributes,
    );
  });
});

describe("pools", () => {
  const shapes = [
    [2, 9, 9, 4],
    [1, 7, 10, 5],
    [2, 5, 5, 1],
  ];
  const options = [
    { kernelSize: 2 },
    { kernelSize: 3, stride: 2, padding: 1 },
    { kernelSize: 3, stride: 2, ceilMode: true },
    { kernelSize: 3, stride: 3, padding: 1, ceilMode: true },
  ];
  test.each(shapes.flatMap((shape) => options.map((option) => [shape, option] as const)))(
    "%j %o",
    async (shape, option) => {
      const x = randomArray(shape, seededRandom(4));
      const { kernelSize: k } = option;
      const {
        stride,
        padding: p,
        ceilMode,
      } = { stride: k, padding: 0, ceilMode: false, ...option };
      const attributes = {
        kernel_shape: [k, k],
        strides: [stride, stride],
        pads: [p, p, p, p],
        ceil_mode: ceilMode ? 1 : 0,
      };
      await compareImages(
        `maxPool2d ${JSON.stringify(option)}`,
        maxPool2d(upload(x), option),
        "MaxPool",
        [toNchw(x)],
        attributes,
      );
      // The rules for windows over the edge differ in ceil mode: ONNX 17 counts them as PyTorch does only without padding.
      if (ceilMode && p > 0) return;
      for (const countIncludePad of [true, false]) {
        const ours = avgPool2d(upload(x), { ...option, countIncludePad });
        const theirs = { ...attributes, count_include_pad: countIncludePad && !ceilMode ? 1 : 0 };
        await compareImages(
          `avgPool2d ${JSON.stringify(option)}`,
          ours,
          "AveragePool",
          [toNchw(x)],
          theirs,
        );
      }
    },
  );

  test("dilated maximum", async () => {
    const x = randomArray([2, 10, 11, 6], seededRandom(5));
    const ours = maxPool2d(upload(x), { kernelSize: 3, stride: 1, dilation: 2, padding: 1 });
    const attributes = {
      kernel_shape: [3, 3],
      strides: [1, 1],
      pads: [1, 1, 1, 1],
      dilations: [2, 2],
    };
    await compareImages("maxPool2d dilation 2", ours, "MaxPool", [toNchw(x)], attributes);
  });

  test("global", async () => {
    const x = randomArray([3, 7, 5, 9], seededRandom(6));
    const average = await runOnnx("GlobalAveragePool", [toNchw(x)]);
    const maximum = await runOnnx("GlobalMaxPool", [toNchw(x)]);
    compare("globalAveragePool", await globalAveragePool(upload(x)).data(), average.data);
    compare("globalMaxPool", await globalMaxPool(upload(x)).data(), maximum.data);
  });
});

describe("norms", () => {
  test("batch norm with running statistics", async () => {
    const random = seededRandom(7);
    const x = randomArray([2, 5, 6, 7], random);
    const [weight, bias, mean] = [
      randomArray([7], random),
      randomArray([7], random),
      randomArray([7], random),
    ];
    const variance = { shape: [7], data: randomArray([7], random).data.map((v) => v + 1.5) };
    const ours = batchNorm(upload(x), {
      weight: upload(weight),
      bias: upload(bias),
      runningMean: upload(mean),
      runningVar: upload(variance),
      training: false,
      eps: 1e-3,
    });
    const inputs = [toNchw(x), weight, bias, mean, variance];
    await compareImages("batchNorm", ours, "BatchNormalization", inputs, {
      epsilon: { float: 1e-3 },
    });
  });

  test("layer norm", async () => {
    const random = seededRandom(8);
    for (const width of [1, 7, 64, 300]) {
      const x = randomArray([4, 3, width], random);
      const [weight, bias] = [randomArray([width], random), randomArray([width], random)];
      const ours = layerNorm(upload(x), { weight: upload(weight), bias: upload(bias), eps: 1e-5 });
      const theirs = await runOnnx("LayerNormalization", [x, weight, bias], {
        axis: -1,
        epsilon: { float: 1e-5 },
      });
      compare(`layerNorm ${width}`, await ours.data(), theirs.data);
    }
  });
});

describe("products", () => {
  test.each([
    [
      [3, 4],
      [4, 5],
    ],
    [
      [1, 1],
      [1, 1],
    ],
    [
      [65, 33],
      [33, 129],
    ],
    [
      [2, 3, 17, 9],
      [2, 3, 9, 8],
    ],
    [
      [5, 1, 8, 9],
      [4, 9, 7],
    ],
    [
      [128, 256],
      [256, 64],
    ],
  ])("matmul %j x %j", async (a, b) => {
    const random = seededRandom(9);
    const [x, y] = [randomArray(a, random), randomArray(b, random)];
    const theirs = await runOnnx("MatMul", [x, y]);
    const ours = matmul(upload(x), upload(y));
    expect(ours.shape).toEqual(theirs.shape);
    compare(`matmul ${JSON.stringify([a, b])}`, await ours.data(), theirs.data);
  });

  test.each([
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ])("gemm %s %s", async (transposeA, transposeB) => {
    const random = seededRandom(10);
    const [m, k, n] = [37, 19, 45];
    const a = randomArray(transposeA ? [k, m] : [m, k], random);
    const b = randomArray(transposeB ? [n, k] : [k, n], random);
    const c = randomArray([n], random);
    const theirs = await runOnnx("Gemm", [a, b, c], {
      transA: transposeA ? 1 : 0,
      transB: transposeB ? 1 : 0,
    });
    const ours = add(matmul(upload(a), upload(b), { transposeA, transposeB }), upload(c));
    compare(`gemm ${transposeA} ${transposeB}`, await ours.data(), theirs.data);
  });
});

test.each([
  [[5, 10], -1],
  [[2, 3, 1000], -1],
  [[2, 7, 5], 1],
  [[4, 3, 2], 0],
] as const)("softmax %j over %i", async (shape, axis) => {
  const x = randomArray(shape, seededRandom(11));
  const steep = scaled(x, 8);
  compare(
    "softmax",
    await softmax(upload(steep), axis).data(),
    (await runOnnx("Softmax", [steep], { axis })).data,
  );
  compare(
    "logSoftmax",
    await logSoftmax(upload(steep), axis).data(),
    (await runOnnx("LogSoftmax", [steep], { axis })).data,
  );
});
