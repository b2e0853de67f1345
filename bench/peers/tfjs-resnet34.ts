/** @file ResNet-34 of tfjs's core ops: for inference with folded norms and fused convolutions, and a training step. */
import * as tf from "@tensorflow/tfjs-core";
import type { HostArray } from "../../test/oracles/layout.ts";
import { paddingOf } from "./convolution.ts";
import {
  classes,
  entryOf,
  epsilon,
  foldNorms,
  initialState,
  trackedChanges,
  trackedWeights,
  walk,
  type HostState,
  type NetworkOps,
  type Unit,
} from "./resnet34.ts";
import { labelsOf, learningRate, momentum, type NetworkWork } from "./work.ts";

/** Images to logits, by batch norms folded into the convolutions; a convolution with its bias and relu is one op. */
export function tfjsInference(): (images: tf.Tensor4D) => tf.Tensor {
  const state = variablesOf(foldNorms(initialState()));
  const ops: NetworkOps<tf.Tensor4D> = {
    ...shared(state),
    unit(x, { conv, kernel, stride }, { relu, shortcut }) {
      const convolved = tf.fused.conv2d({
        x,
        filter: entryOf(state, `${conv}.weight`) as tf.Variable<tf.Rank.R4>,
        strides: stride,
        pad: paddingOf(kernel),
        dimRoundingMode: "floor",
        bias: entryOf(state, `${conv}.bias`),
        activation: relu && shortcut === undefined ? "relu" : "linear",
      });
      return shortcut === undefined ? convolved : tf.relu(tf.add(convolved, shortcut));
    },
  };
  return (images) => walk(ops, images);
}

interface Training {
  /** One step; gives the loss. */
  readonly step: (images: tf.Tensor4D) => tf.Tensor;
  /** What became of the tracked weights. */
  readonly changes: () => Promise<HostArray[]>;
}

/** Forward with the statistics of the batch, cross-entropy, backward, SGD with momentum. */
export function tfjsTraining(work: NetworkWork): Training {
  const state = variablesOf(initialState());
  const optimizer = tf.train.momentum(learningRate, momentum);
  const labels = tf.oneHot(tf.tensor1d(labelsOf(work), "int32"), classes);
  const ops = trainingOps(state);
  const lossOf = (images: tf.Tensor4D): tf.Scalar =>
    tf.losses.softmaxCrossEntropy(labels, walk(ops, images));
  return {
    step(images) {
      const loss = optimizer.minimize(() => lossOf(images), true);
      if (loss === null) throw new Error("tfjs: minimize gave no loss");
      return loss;
    },
    async changes() {
      const now = new Map<string, HostArray>();
      for (const name of trackedWeights) {
        const { shape } = entryOf(initialState(), name);
        const value = toTorch(entryOf(state, name));
        now.set(name, { shape, data: Float32Array.from(await value.data()) });
      }
      return trackedChanges(now);
    },
  };
}

function trainingOps(state: ReadonlyMap<string, tf.Variable>): NetworkOps<tf.Tensor4D> {
  return {
    ...shared(state),
    unit(x, unit, { relu, shortcut }) {
      const { conv, kernel, stride } = unit;
      const weight = entryOf(state, `${conv}.weight`) as tf.Variable<tf.Rank.R4>;
      const convolved = tf.conv2d(x, weight, stride, paddingOf(kernel), "NHWC", 1, "floor");
      const normed = norm(convolved, unit, state);
      const sum: tf.Tensor4D = shortcut === undefined ? normed : tf.add(normed, shortcut);
      return relu ? tf.relu(sum) : sum;
    },
  };
}

/** Batch norm as the layers of tfjs do it: `moments`, then `batchNorm`, which has a gradient. */
function norm(x: tf.Tensor4D, unit: Unit, state: ReadonlyMap<string, tf.Variable>): tf.Tensor4D {
  const at = (name: string): tf.Variable<tf.Rank.R1> =>
    entryOf(state, `${unit.norm}.${name}`) as tf.Variable<tf.Rank.R1>;
  const moments = tf.moments(x, [0, 1, 2]);
  const [mean, variance] = [moments.mean as tf.Tensor1D, moments.variance as tf.Tensor1D];
  const count = x.size / unit.outChannels;
  blend(at("running_mean"), mean, 1);
  blend(at("running_var"), variance, count / (count - 1));
  return tf.batchNorm<tf.Rank.R4>(x, mean, variance, at("bias"), at("weight"), epsilon);
}

/** `running = 0.9 running + 0.1 factor now` */
function blend(running: tf.Variable<tf.Rank.R1>, now: tf.Tensor1D, factor: number): void {
  running.assign(tf.add(tf.mul(running, 0.9), tf.mul(now, 0.1 * factor)));
}

function shared(state: ReadonlyMap<string, tf.Variable>): Pick<
  NetworkOps<tf.Tensor4D>,
  "maxPool" | "share"
> & {
  head(x: tf.Tensor4D): tf.Tensor4D;
} {
  return {
    maxPool: (x) => tf.maxPool(x, 3, 2, 1, "floor"),
    share: (x) => x,
    head: (x) => {
      const pooled = tf.mean(x, [1, 2]);
      const product = tf.matMul(pooled, entryOf(state, "fc.weight"), false, true);
      return tf.add(product, entryOf(state, "fc.bias"));
    },
  };
}

/** Kernels in the axis order of tfjs; statistics are not trained. */
function variablesOf(state: HostState): Map<string, tf.Variable> {
  const variables = Array.from(state, ([name, { shape, data }]) => {
    const value = tf.tidy(() => {
      const given = tf.tensor(data, [...shape]);
      return shape.length === 4 ? tf.transpose(given, [2, 3, 1, 0]) : given;
    });
    const variable = tf.variable(value, !name.includes("running"));
    value.dispose();
    return [name, variable] as const;
  });
  return new Map(variables);
}

function toTorch(value: tf.Tensor): tf.Tensor {
  return value.rank === 4 ? tf.transpose(value, [3, 2, 0, 1]) : value;
}
