/** @file tfjs with its gradients, which its own entry point for Node leaves out; the backends are in files of their own. */
import { createRequire } from "node:module";
import * as tf from "@tensorflow/tfjs-core";
import type { HostArray } from "../../test/oracles/layout.ts";
import { paddingOf } from "./convolution.ts";
import type { Prepared } from "./peer.ts";
import { tfjsInference, tfjsTraining } from "./tfjs-resnet34.ts";
import { inputsOf, type ConvolutionWork, type Work } from "./work.ts";

// As CommonJS: its ES modules import folders, which Node refuses. The registry of gradients is global, so a second copy of the
// core does no harm.
const require = createRequire(import.meta.url);
require("@tensorflow/tfjs-core/dist/register_all_gradients.js");
require("@tensorflow/tfjs-core/dist/public/chained_ops/register_all_chained_ops.js");

/** What a backend has to add. */
export interface TfjsBackend {
  /** Resolves when everything asked of the backend so far is computed. */
  readonly finish: () => Promise<void> | void;
  /** Puts a tensor where the backend computes. */
  readonly upload: (tensor: tf.Tensor) => void;
}

/** Work for whichever backend is set. */
export function prepareTfjs(work: Work, { finish, upload }: TfjsBackend): Prepared {
  const inputs = inputsOf(work).map(({ shape, data }) => tf.tensor(data, [...shape]));
  inputs.forEach(upload);
  switch (work.kind) {
    case "matmul":
      return repeat(inputs, finish, ([a, b]) => [tf.matMul(a, b)]);
    case "chain":
      return repeat(inputs, finish, ([x, y]) => {
        let sum = x;
        for (let i = 0; i < work.adds; i++) sum = tf.add(sum, y);
        return [sum];
      });
    case "convolution":
      return convolution(work, inputs, finish);
    case "inference": {
      const network = tfjsInference();
      return repeat(inputs, finish, ([x]) => [network(x as tf.Tensor4D)]);
    }
    case "training": {
      const { step, changes } = tfjsTraining(work);
      const training = repeat(inputs, finish, ([x]) => [step(x as tf.Tensor4D)]);
      return {
        ...training,
        results: async () => [...(await training.results()), ...(await changes())],
      };
    }
  }
}

type Two = readonly [tf.Tensor, tf.Tensor, ...tf.Tensor[]];

/** The work is a function of the inputs; its results live until the next run. */
function repeat(
  inputs: readonly tf.Tensor[],
  finish: TfjsBackend["finish"],
  compute: (inputs: Two) => tf.Tensor[],
): Prepared {
  const [first, second = first] = inputs;
  if (first === undefined || second === undefined) throw new Error("tfjs: no inputs");
  let results: tf.Tensor[] = [];
  return {
    async run() {
      tf.dispose(results);
      results = tf.tidy(() => compute([first, second, ...inputs.slice(2)]));
      await finish();
    },
    results: () => Promise.all(results.map(download)),
    release() {
      tf.disposeVariables();
      tf.dispose(results);
      tf.dispose([...inputs]);
    },
  };
}

async function download(result: tf.Tensor): Promise<HostArray> {
  return { shape: result.shape, data: Float32Array.from(await result.data()) };
}

function convolution(
  { convolution: { kernel, stride }, gradients }: ConvolutionWork,
  inputs: readonly tf.Tensor[],
  finish: TfjsBackend["finish"],
): Prepared {
  const conv = (x: tf.Tensor, w: tf.Tensor): tf.Tensor =>
    conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, paddingOf(kernel));
  if (!gradients) return repeat(inputs, finish, ([x, w]) => [conv(x, w)]);
  return repeat(inputs, finish, ([x, w, dy]) => {
    const { value, grads } = tf.valueAndGrads(conv)([x, w], dy);
    return [value, ...grads];
  });
}

/** With the same padding on all sides, which "same" does not give for stride 2. */
function conv2d(x: tf.Tensor4D, w: tf.Tensor4D, stride: number, padding: number): tf.Tensor4D {
  return tf.conv2d(x, w, stride, padding, "NHWC", 1, "floor");
}
