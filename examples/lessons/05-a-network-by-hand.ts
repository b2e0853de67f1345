/**
 * Lesson 5: a network that learns to read digits. What `fit` does, written out.
 *
 *     node --import ./tools/register.mjs examples/lessons/05-a-network-by-hand.ts
 *
 * A neural network is an architecture that can do almost anything, with the right weights. They are found as in lesson 4: by SGD, on
 * examples with labels. It learns from the training set only. The validation set, digits that it never learns from, shows whether
 * it has learned to read or only knows its examples by heart.
 */
import { DataLoader, mnistStats, normalize } from "../../data/index.ts";
import { loadMnist } from "../../data/node.ts";
import {
  argMax,
  backward,
  cast,
  crossEntropy,
  equal,
  manualSeed,
  mean,
  noGrad,
  openScope,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { Flatten, Linear, ReLU, Sequential, SGD, summary, type Module } from "../../nn/index.ts";

const epochs = 4;

/** One epoch of learning. Returns the mean loss of its batches. */
export async function train(model: Module, optimizer: SGD, batches: DataLoader): Promise<number> {
  const losses: Promise<number>[] = [];
  for (const { x, y } of batches) {
    // What is made in a scope is freed at its end. Otherwise the garbage collector would do it, at a time of its own choosing.
    using _scope = openScope();
    const loss = crossEntropy(model.forward(x), y);
    backward(loss);
    optimizer.step();
    optimizer.zeroGrad();
    losses.push(loss.item());
  }
  return average(await Promise.all(losses));
}

/** Loss and accuracy on digits that are only looked at: no gradient, no step. */
export async function validate(model: Module, batches: DataLoader) {
  const losses: Promise<number>[] = [];
  const accuracies: Promise<number>[] = [];
  for (const { x, y } of batches) {
    using _scope = openScope();
    const scores = noGrad(() => model.forward(x));
    losses.push(crossEntropy(scores, y).item());
    // The prediction is the digit with the highest score. The accuracy is the part of the predictions that are right.
    accuracies.push(mean(cast(equal(argMax(scores, 1), y), "f32")).item());
  }
  return {
    loss: average(await Promise.all(losses)),
    accuracy: average(await Promise.all(accuracies)),
  };
}

export async function main(print: (line: string) => void = console.log) {
  const device = await openNodeDevice();
  const mnist = await loadMnist();
  const options = { batchSize: 100, transform: normalize(mnistStats) };
  const training = new DataLoader({
    dataset: mnist.train.slice(0, 3000),
    shuffle: true,
    ...options,
  });
  const validation = new DataLoader({ dataset: mnist.test.slice(0, 1000), ...options });

  // Layers, each of which works on what the one before it found: 784 pixels, 32 numbers in between, 10 scores, one for each digit.
  manualSeed(1);
  const model = new Sequential(
    new Flatten(),
    new Linear({ inFeatures: 784, outFeatures: 32 }),
    new ReLU(),
    new Linear({ inFeatures: 32, outFeatures: 10 }),
  );
  print(String(summary(model, [1, 28, 28, 1])));

  // Loss and metric: SGD needs the loss, which changes a little with every weight. People read the metric: 89 % are right.
  const optimizer = new SGD(model.parameters(), { lr: 0.2 });
  const rows = [];
  print("\nepoch  training loss  validation loss  accuracy");
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const trainingLoss = await train(model, optimizer, training);
    const { loss, accuracy } = await validate(model, validation);
    rows.push({ trainingLoss, validationLoss: loss, accuracy });
    const losses = trainingLoss.toFixed(3).padStart(15) + loss.toFixed(3).padStart(17);
    print(`${String(epoch).padStart(5)}${losses}${(100 * accuracy).toFixed(1).padStart(8)} %`);
  }

  await device.close();
  return rows;
}

function average(numbers: readonly number[]): number {
  return numbers.reduce((sum, n) => sum + n, 0) / numbers.length;
}

if (process.argv[1] === import.meta.filename) await main();
