/** @file Gradients against tfjs on the CPU, which shares no code with wgrad: conv, pools, norms, losses, activations. */
import { describe, expect, test } from "vitest";
import {
  add,
  avgPool2d,
  backward,
  batchNorm,
  conv2d,
  conv2dTranspose,
  crossEntropy,
  elu,
  layerNorm,
  logSoftmax,
  matmul,
  maxPool2d,
  mul,
  relu,
  sigmoid,
  softplus,
  sub,
  sum,
  tanh,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import { BCEWithLogitsLoss, HuberLoss, L1Loss, MSELoss } from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { randomArray, type HostArray } from "./layout.ts";
import { tf } from "./tfjs.ts";
import { compareWith } from "./worst-error.ts";

useDevice();
const compare = compareWith("tfjs-cpu gradients");

/** Runs the same function in both, weighs its result with the same numbers, and compares result and gradients. */
async function compareGradients(
  what: string,
  inputs: readonly HostArray[],
  ours: (...inputs: Tensor[]) => Tensor,
  theirs: (...inputs: tf.Tensor[]) => tf.Tensor,
  tolerance = 5e-5,
): Promise<void> {
  const leaves = inputs.map(({ shape, data }) => tensor(data, { shape, requiresGrad: true }));
  const out = ours(...leaves);
  const weights = randomArray(out.shape, seededRandom(99));
  backward(out, { gradient: tensor(weights.data, { shape: out.shape }) });
  const theirInputs = inputs.map(({ shape, data }) => tf.tensor(data, [...shape], "float32"));
  const theirOut = theirs(...theirInputs);
  expect(out.shape).toEqual(theirOut.shape);
  compare(`${what}, forward`, await out.data(), theirOut.dataSync(), tolerance);
  const gradients = tf.grads((...args: tf.Tensor[]) => theirs(...args))(
    theirInputs,
    tf.tensor(weights.data, [...weights.shape], "float32"),
  );
  for (const [i, leaf] of leaves.entries()) {
    const gradient = await leaf.grad?.data();
    compare(`${what}, gradient ${i}`, gradient ?? [], gradients[i]?.dataSync() ?? [], tolerance);
  }
}

describe("conv2d", () => {
  test.each([
    { x: [2, 8, 8, 4], w: [3, 3, 4, 8], stride: 1, padding: "same", dilation: 1 },
    { x: [2, 9, 7, 3], w: [3, 3, 3, 5], stride: 2, padding: "same", dilation: 1 },
    { x: [1, 12, 12, 8], w: [3, 3, 8, 16], stride: 2, padding: "valid", dilation: 1 },
    { x: [2, 14, 14, 1], w: [5, 5, 1, 16], stride: 2, padding: "same", dilation: 1 },
    { x: [2, 7, 7, 32], w: [1, 1, 32, 64], stride: 2, padding: "valid", dilation: 1 },
    { x: [3, 6, 6, 16], w: [1, 1, 16, 24], stride: 1, padding: "valid", dilation: 1 },
    { x: [4, 14, 14, 32], w: [3, 3, 32, 32], stride: 1, padding: "same", dilation: 1 },
    { x: [2, 15, 15, 3], w: [7, 7, 3, 64], stride: 2, padding: "valid", dilation: 1 },
  ] as const)("%o", async ({ x, w, stride, padding, dilation }) => {
    const random = seededRandom(1);
    await compareGradients(
      `conv2d ${JSON.stringify({ x, w, stride, padding })}`,
      [randomArray(x, random), randomArray(w, random)],
      (a, b) => conv2d(a, b, { stride, padding, dilation }),
      (a, b) => tf.conv2d(a as tf.Tensor4D, b as tf.Tensor4D, stride, padding, "NHWC", dilation),
    );
  });

  test("with a bias", async () => {
    const random = seededRandom(2);
    await compareGradients(
      "conv2d bias",
      [
        randomArray([2, 6, 6, 4], random),
        randomArray([3, 3, 4, 8], random),
        randomArray([8], random),
      ],
      (x, w, bias) => conv2d(x, w, { padding: "same", bias }),
      (x, w, bias) => tf.add(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, "same"), bias),
    );
  });

  // tfjs: [kh, kw, in, multiplier]; as a grouped convolution the output channel is in * multiplier + j.
  test.each([1, 2])("depthwise, stride %i", async (stride) => {
    const random = seededRandom(3);
    await compareGradients(
      `depthwise stride ${stride}`,
      [randomArray([2, 8, 8, 6], random), randomArray([3, 3, 1, 6], random)],
      (x, w) => conv2d(x, w, { padding: "same", stride, groups: 6 }),
      (x, w) => tf.depthwiseConv2d(x as tf.Tensor4D, tf.reshape(w, [3, 3, 6, 1]), stride, "same"),
    );
  });

  test("transposed", async () => {
    const random = seededRandom(4);
    await compareGradients(
      "conv2dTranspose",
      [randomArray([2, 5, 5, 4], random), randomArray([3, 3, 6, 4], random)],
      (x, w) => conv2dTranspose(x, w, { stride: 2 }),
      (x, w) => tf.conv2dTranspose(x as tf.Tensor4D, w as tf.Tensor4D, [2, 11, 11, 6], 2, "valid"),
    );
  });
});

describe("pools", () => {
  const x = randomArray([2, 8, 9, 5], seededRandom(5));
  test("maximum", async () => {
    for (const [size, stride] of [
      [2, 2],
      [3, 2],
      [3, 1],
    ] as const) {
      await compareGradients(
        `maxPool2d ${size} ${stride}`,
        [x],
        (a) => maxPool2d(a, { kernelSize: size, stride }),
        (a) => tf.maxPool(a as tf.Tensor4D, size, stride, "valid"),
      );
    }
  });

  test("average", async () => {
    for (const [size, stride] of [
      [2, 2],
      [3, 2],
      [3, 1],
    ] as const) {
      await compareGradients(
        `avgPool2d ${size} ${stride}`,
        [x],
        (a) => avgPool2d(a, { kernelSize: size, stride }),
        (a) => tf.avgPool(a as tf.Tensor4D, size, stride, "valid"),
      );
    }
  });
});

describe("norms", () => {
  test("batch norm with batch statistics, relu and residual", async () => {
    const random = seededRandom(6);
    const inputs = [[4, 6, 5, 8], [8], [8], [4, 6, 5, 8]].map((shape) =>
      randomArray(shape, random),
    );
    await compareGradients(
      "batchNorm training",
      inputs,
      (x, weight, bias, residual) =>
        batchNorm(x, { weight, bias, residual, activation: "relu", training: true }),
      (x, weight, bias, residual) => {
        const { mean, variance } = tf.moments(x, [0, 1, 2]);
        return tf.relu(
          tf.add(
            tf.batchNorm(
              x as tf.Tensor4D,
              mean as tf.Tensor1D,
              variance as tf.Tensor1D,
              bias as tf.Tensor1D,
              weight as tf.Tensor1D,
              1e-5,
            ),
            residual,
          ),
        );
      },
    );
  });

  test("layer norm", async () => {
    const random = seededRandom(7);
    await compareGradients(
      "layerNorm",
      [randomArray([6, 20], random), randomArray([20], random), randomArray([20], random)],
      (x, weight, bias) => layerNorm(x, { weight, bias }),
      (x, weight, bias) => {
        const { mean, variance } = tf.moments(x, -1, true);
        return tf.add(
          tf.mul(tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))), weight),
          bias,
        );
      },
    );
  });
});

describe("losses", () => {
  const random = seededRandom(8);
  const [prediction, target] = [randomArray([9, 7], random), randomArray([9, 7], random)];
  const truth = (): Tensor => tensor(target.data, { shape: target.shape });
  const theirTruth = (): tf.Tensor => tf.tensor(target.data, [9, 7]);

  test("cross-entropy, plain and smoothed", async () => {
    const labels = Int32Array.from({ length: 9 }, (_, i) => (3 * i) % 7);
    for (const labelSmoothing of [0, 0.1]) {
      await compareGradients(
        `crossEntropy smoothing ${labelSmoothing}`,
        [prediction],
        (logits) => crossEntropy(logits, tensor(labels), { labelSmoothing }),
        (logits) =>
          tf.losses.softmaxCrossEntropy(
            tf.oneHot(tf.tensor1d(labels, "int32"), 7),
            logits,
            undefined,
            labelSmoothing,
          ),
      );
    }
  });

  test("mean squared, absolute, Huber, binary cross-entropy", async () => {
    const pairs: [string, (x: Tensor) => Tensor, (x: tf.Tensor) => tf.Tensor][] = [
      [
        "mse",
        (x) => new MSELoss().forward(x, truth()),
        (x) => tf.losses.meanSquaredError(theirTruth(), x),
      ],
      [
        "l1",
        (x) => new L1Loss().forward(x, truth()),
        (x) => tf.losses.absoluteDifference(theirTruth(), x),
      ],
      [
        "huber",
        (x) => new HuberLoss({ delta: 0.4 }).forward(x, truth()),
        (x) => tf.losses.huberLoss(theirTruth(), x, undefined, 0.4),
      ],
    ];
    for (const [what, ours, theirs] of pairs)
      await compareGradients(what, [prediction], ours, theirs);
    const zeroOne = target.data.map((v) => (v > 0 ? 1 : 0));
    await compareGradients(
      "bceWithLogits",
      [prediction],
      (x) => new BCEWithLogitsLoss().forward(x, tensor(zeroOne, { shape: [9, 7] })),
      (x) => tf.losses.sigmoidCrossEntropy(tf.tensor(zeroOne, [9, 7]), x),
    );
  });
});

test("a small network of products and activations", async () => {
  const random = seededRandom(9);
  const inputs = [[5, 8], [8, 16], [16], [16, 4]].map((shape) => randomArray(shape, random));
  await compareGradients(
    "mlp",
    inputs,
    (x, w1, b1, w2) =>
      logSoftmax(matmul(tanh(add(matmul(elu(x), w1), b1)), mul(sigmoid(w2), softplus(w2)))),
    (x, w1, b1, w2) =>
      tf.logSoftmax(
        tf.matMul(
          tf.tanh(tf.add(tf.matMul(tf.elu(x), w1), b1)),
          tf.mul(tf.sigmoid(w2), tf.softplus(w2)),
        ),
      ),
  );
  await compareGradients(
    "reductions",
    [randomArray([4, 5, 6], random)],
    (x) => sum(mul(relu(sub(x, 0.1)), x), [0, 2]),
    (x) => tf.sum(tf.mul(tf.relu(tf.sub(x, 0.1)), x), [0, 2]),
  );
});
