/**
 * @file ResNet-34 of jax-js's ops, channels first: for inference with folded norms, and a training step; each one jitted function.
 * An array is used up by the function that takes it, `.ref` is the right to use it once more.
 */
import { jit, lax, nn, numpy as np, tree, valueAndGrad } from "@jax-js/jax";
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
} from "./resnet34.ts";
import { labelsOf, learningRate, momentum, type NetworkWork } from "./work.ts";

// Types, not interfaces: only they count as trees of arrays.
type Arrays = Record<string, np.Array>;
type TrainingState = Record<"weights" | "velocity" | "statistics", Arrays>;

export interface JaxNetwork {
  /** Images to logits, or to the loss of a training step. */
  readonly run: (images: np.Array) => np.Array;
  readonly release: () => void;
}

/** Images to logits, by batch norms folded into the convolutions. */
export function jaxInference(): JaxNetwork {
  const weights = arraysOf(foldNorms(initialState()));
  const network = jit((weights: Arrays, images: np.Array) => {
    const ops: NetworkOps<np.Array> = {
      ...common(weights),
      unit(x, unit, { relu, shortcut }) {
        const convolved = conv(x, take(weights, `${unit.conv}.weight`), unit.kernel, unit.stride);
        const biased = np.add(convolved, perChannel(take(weights, `${unit.conv}.bias`)));
        return finishUnit(biased, relu, shortcut);
      },
    };
    return walk(ops, images);
  });
  return {
    run: (images) => network(tree.ref(weights), images),
    release() {
      tree.dispose(weights);
      network.dispose();
    },
  };
}

export interface JaxTraining extends JaxNetwork {
  /** What became of the tracked weights. */
  readonly changes: () => Promise<HostArray[]>;
}

/** Forward with the statistics of the batch, cross-entropy, backward, SGD with momentum. */
export function jaxTraining(work: NetworkWork): JaxTraining {
  const [weights, statistics] = split(arraysOf(initialState()));
  const labels = nn.oneHot(np.array(labelsOf(work), { dtype: np.int32 }), classes);
  const step = jit(trainingStep);
  let state = { weights, velocity: zerosLike(weights), statistics };
  return {
    run(images) {
      const [loss, next] = step(state, images, labels.ref);
      state = next;
      return loss;
    },
    async changes() {
      const now = new Map<string, HostArray>();
      for (const name of trackedWeights) {
        now.set(name, await download(take(state.weights, name)));
      }
      return trackedChanges(now);
    },
    release() {
      tree.dispose(state);
      labels.dispose();
      step.dispose();
    },
  };
}

function trainingStep(
  { weights, velocity, statistics }: TrainingState,
  images: np.Array,
  labels: np.Array,
): [loss: np.Array, next: TrainingState] {
  const lossOf = (weights: Arrays, statistics: Arrays): [np.Array, Arrays] => {
    const next: Arrays = {};
    const logits = walk(trainingOps(weights, statistics, next), images);
    const picked = np.multiply(nn.logSoftmax(logits), labels);
    return [np.negative(np.mean(np.sum(picked, -1))), next];
  };
  const [[loss, nextStatistics], gradients] = valueAndGrad(lossOf, { hasAux: true })(
    tree.ref(weights),
    statistics,
  );
  const nextWeights: Arrays = {};
  const nextVelocity: Arrays = {};
  for (const [name, gradient] of Object.entries(gradients)) {
    // v' = momentum v + g,  w' = w - lr v'
    const moved = np.add(np.multiply(take(velocity, name), momentum), gradient);
    nextWeights[name] = np.subtract(take(weights, name), np.multiply(moved.ref, learningRate));
    nextVelocity[name] = moved;
  }
  return [loss, { weights: nextWeights, velocity: nextVelocity, statistics: nextStatistics }];
}

function trainingOps(weights: Arrays, statistics: Arrays, next: Arrays): NetworkOps<np.Array> {
  return {
    ...common(weights),
    unit(x, unit, { relu, shortcut }) {
      const convolved = conv(x, take(weights, `${unit.conv}.weight`), unit.kernel, unit.stride);
      const [batch = 0, , height = 0, width = 0] = convolved.shape;
      const count = batch * height * width;
      const mean = np.mean(convolved.ref, [0, 2, 3]);
      const centred = np.subtract(convolved, perChannel(mean.ref));
      const variance = np.mean(np.square(centred.ref), [0, 2, 3]);
      const blend = (name: string, now: np.Array, factor: number): void => {
        // running' = 0.9 running + 0.1 factor now; no gradient flows through it.
        const old = np.multiply(take(statistics, name), 0.9);
        next[name] = np.add(old, np.multiply(lax.stopGradient(now), 0.1 * factor));
      };
      blend(`${unit.norm}.running_mean`, mean, 1);
      blend(`${unit.norm}.running_var`, variance.ref, count / (count - 1));
      const deviation = np.sqrt(np.add(variance, epsilon));
      const scale = np.divide(take(weights, `${unit.norm}.weight`), deviation);
      const normed = np.add(
        np.multiply(centred, perChannel(scale)),
        perChannel(take(weights, `${unit.norm}.bias`)),
      );
      return finishUnit(normed, relu, shortcut);
    },
  };
}

function finishUnit(x: np.Array, relu: boolean, shortcut: np.Array | undefined): np.Array {
  const sum = shortcut === undefined ? x : np.add(x, shortcut);
  return relu ? nn.relu(sum) : sum;
}

function common(weights: Arrays): Pick<NetworkOps<np.Array>, "maxPool" | "head" | "share"> {
  return {
    maxPool(x) {
      // Zeros do as padding, because a relu stands before.
      const padded = np.pad(x, [
        [0, 0],
        [0, 0],
        [1, 1],
        [1, 1],
      ]);
      return lax.reduceWindow(padded, np.max, [3, 3], [2, 2]);
    },
    head(x) {
      const pooled = np.mean(x, [2, 3]);
      const product = np.matmul(pooled, np.transpose(take(weights, "fc.weight")));
      return np.add(product, take(weights, "fc.bias"));
    },
    share: (x) => x.ref,
  };
}

/** The type of `data()` in its declarations is one that our TypeScript does not know. */
interface Readable {
  data(): Promise<ArrayLike<number>>;
}

/** The elements on the host; the array may be used afterwards. */
export async function download(array: np.Array): Promise<HostArray> {
  const readable: Readable = array.ref;
  return { shape: array.shape, data: Float32Array.from(await readable.data()) };
}

/** Channels-first convolution with the same padding on all sides. */
export function conv(x: np.Array, w: np.Array, kernel: number, stride: number): np.Array {
  const padding = paddingOf(kernel);
  return lax.conv(
    x,
    w,
    [stride, stride],
    [
      [padding, padding],
      [padding, padding],
    ],
  );
}

/** [channels] beside [batch, channels, height, width]. */
function perChannel(x: np.Array): np.Array {
  return np.reshape(x, [1, -1, 1, 1]);
}

function take(arrays: Arrays, name: string): np.Array {
  return entryOf(new Map(Object.entries(arrays)), name);
}

function arraysOf(state: HostState): Arrays {
  return Object.fromEntries(
    Array.from(state, ([name, { shape, data }]) => [name, np.array(data, { shape: [...shape] })]),
  );
}

/** Weights, and running statistics, which no gradient changes. */
function split(arrays: Arrays): [weights: Arrays, statistics: Arrays] {
  const entries = Object.entries(arrays);
  const isStatistic = ([name]: [string, np.Array]): boolean => name.includes("running");
  return [
    Object.fromEntries(entries.filter((entry) => !isStatistic(entry))),
    Object.fromEntries(entries.filter(isStatistic)),
  ];
}

function zerosLike(arrays: Arrays): Arrays {
  return Object.fromEntries(
    Object.entries(arrays).map(([name, { shape }]) => [name, np.zeros(shape)]),
  );
}
