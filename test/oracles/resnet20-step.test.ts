/**
 * @file Two whole training steps of ResNet20 (forward, backward, SGD with momentum) against the same network written in
 * tfjs on the CPU: losses, every parameter, every running statistic. The second step sees the momentum of the first.
 */
import { expect, test } from "vitest";
import { backward, crossEntropy, manualSeed, tensor, type Tensor } from "../../engine/index.ts";
import { cifarResnet20, SGD } from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { randomArray } from "./layout.ts";
import { tf } from "./tfjs.ts";
import { compareWith } from "./worst-error.ts";

useDevice();
const compare = compareWith("tfjs-cpu, two steps of ResNet20");

const batchSize = 4;
const imageSize = 16;
const learningRate = 0.05;
const momentum = 0.9;

type Variables = Record<string, tf.Variable>;

/** The state of the network in tfjs, by PyTorch's names; the layouts are the same. */
async function copyState(state: ReadonlyMap<string, Tensor>): Promise<Variables> {
  const variables: Variables = {};
  for (const [name, value] of state) {
    variables[name] = tf.variable(
      tf.tensor(await value.data(), [...value.shape], "float32"),
      !name.includes("running"),
    );
  }
  return variables;
}

/** He et al. 2015, section 4.2, with shortcut A: subsample, and fill up the new channels with zeros. */
class TfResnet20 {
  readonly variables: Variables;
  /** What training does to the running statistics, applied after the step. */
  readonly updates = new Map<string, tf.Tensor>();

  constructor(variables: Variables) {
    this.variables = variables;
  }

  forward(x: tf.Tensor): tf.Tensor {
    let y = tf.relu(this.#norm(this.#conv(x, "conv1", 1), "bn1"));
    for (const [stage, stride] of [
      [1, 1],
      [2, 2],
      [3, 2],
    ] as const) {
      for (let block = 0; block < 3; block++)
        y = this.#block(y, `layer${stage}.${block}`, block === 0 ? stride : 1);
    }
    const pooled = tf.mean(y, [1, 2]);
    return tf.add(
      tf.matMul(pooled as tf.Tensor2D, this.#get("linear.weight") as tf.Tensor2D, false, true),
      this.#get("linear.bias"),
    );
  }

  #get(name: string): tf.Tensor {
    const variable = this.variables[name];
    if (variable === undefined)
      throw new Error(`no variable ${name}: ${Object.keys(this.variables).join(" ")}`);
    return variable;
  }

  #block(x: tf.Tensor, name: string, stride: number): tf.Tensor {
    const inner = tf.relu(this.#norm(this.#conv(x, `${name}.conv1`, stride), `${name}.bn1`));
    const y = this.#norm(this.#conv(inner, `${name}.conv2`, 1), `${name}.bn2`);
    const added = (y.shape[3] ?? 0) - (x.shape[3] ?? 0);
    // A window of one place: every stride-th pixel, as StridedSlice, which has no gradient in tfjs.
    const subsampled = stride === 1 ? x : tf.maxPool(x as tf.Tensor4D, 1, stride, "valid");
    const before = Math.floor(added / 2);
    const shortcut =
      added === 0
        ? subsampled
        : tf.pad(subsampled, [
            [0, 0],
            [0, 0],
            [0, 0],
            [before, added - before],
          ]);
    return tf.relu(tf.add(y, shortcut));
  }

  /** 3 x 3 with padding 1 on every side, which "same" is not for stride 2. */
  #conv(x: tf.Tensor, name: string, stride: number): tf.Tensor {
    const padded = tf.pad(x, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]);
    return tf.conv2d(
      padded as tf.Tensor4D,
      this.#get(`${name}.weight`) as tf.Tensor4D,
      stride,
      "valid",
    );
  }

  #norm(x: tf.Tensor, name: string): tf.Tensor {
    const { mean, variance } = tf.moments(x, [0, 1, 2]);
    const count = x.size / (x.shape[3] ?? 1);
    const blend = (old: tf.Tensor, now: tf.Tensor): tf.Tensor =>
      tf.keep(tf.add(tf.mul(old, 0.9), tf.mul(now, 0.1)));
    this.updates.set(`${name}.running_mean`, blend(this.#get(`${name}.running_mean`), mean));
    this.updates.set(
      `${name}.running_var`,
      blend(this.#get(`${name}.running_var`), tf.mul(variance, count / (count - 1))),
    );
    const scaled = tf.mul(
      tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 1e-5))),
      this.#get(`${name}.weight`),
    );
    return tf.add(scaled, this.#get(`${name}.bias`));
  }
}

test("two steps give the same losses and the same weights", { timeout: 240_000 }, async () => {
  manualSeed(3);
  const model = cifarResnet20({ numClasses: 10 });
  const state = model.stateDict();
  const before = new Map<string, ArrayLike<number>>();
  for (const [name, value] of state) before.set(name, await value.data());
  const theirs = new TfResnet20(await copyState(state));
  const optimizer = new SGD(model.parameters(), { lr: learningRate, momentum });
  const velocity: Record<string, tf.Tensor> = {};
  // With seed 5 one value in front of a relu is 0 but for rounding; the two then differ in that unit's gradient, rightly.
  const random = seededRandom(6);
  for (let step = 1; step <= 2; step++) {
    const images = randomArray([batchSize, imageSize, imageSize, 3], random);
    const labels = Int32Array.from({ length: batchSize }, () => Math.floor(10 * random()));

    const loss = crossEntropy(
      model.forward(tensor(images.data, { shape: images.shape })),
      tensor(labels),
    );
    backward(loss);
    optimizer.step();
    optimizer.zeroGrad();

    const x = tf.tensor(images.data, [...images.shape], "float32");
    const y = tf.oneHot(tf.tensor1d(labels, "int32"), 10);
    const { value, grads } = tf.variableGrads(() =>
      tf.losses.softmaxCrossEntropy(y, theirs.forward(x)).asScalar(),
    );
    for (const [name, gradient] of Object.entries(gradientsByName(theirs.variables, grads))) {
      const old = velocity[name];
      const next = old === undefined ? gradient : tf.add(tf.mul(old, momentum), gradient);
      velocity[name] = next;
      const variable = theirs.variables[name];
      variable?.assign(tf.sub(variable, tf.mul(next, learningRate)));
    }
    for (const [name, update] of theirs.updates) theirs.variables[name]?.assign(update);

    compare(`loss of step ${step}`, [await loss.item()], value.dataSync(), 1e-4);
  }
  const after = model.stateDict();
  expect(after.size).toBe(before.size);
  let worst = { error: 0, name: "" };
  for (const [name, value] of after) {
    if (name.endsWith("num_batches_tracked")) continue;
    const [ours, expected] = [await value.data(), theirs.variables[name]?.dataSync() ?? []];
    compare(name, ours, expected, 1e-4);
    const error = relativeError(ours, expected, before.get(name) ?? []);
    if (!(error <= worst.error)) worst = { error, name };
  }
  // What training changed, measured against the change itself: the weights hardly move, which flatters the figure above.
  process.stdout.write(
    `tfjs-cpu, two steps of ResNet20: worst relative error of the change of a tensor = ${worst.error.toExponential(1)} (${worst.name})\n`,
  );
  expect(worst.error).toBeLessThan(1e-3);
});

/** |(a - start) - (b - start)| / |b - start| in the Euclidean norm. */
function relativeError(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  start: ArrayLike<number>,
): number {
  let [difference, change] = [0, 0];
  for (let i = 0; i < b.length; i++) {
    difference += ((a[i] ?? NaN) - (b[i] ?? NaN)) ** 2;
    change += ((b[i] ?? NaN) - (start[i] ?? NaN)) ** 2;
  }
  return Math.sqrt(difference / change);
}

/** tfjs names gradients by its own counter. */
function gradientsByName(
  variables: Variables,
  gradients: tf.NamedTensorMap,
): Record<string, tf.Tensor> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, variable]) => {
      const gradient = gradients[variable.name];
      return gradient === undefined ? [] : [[name, gradient]];
    }),
  );
}
