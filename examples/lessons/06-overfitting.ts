/**
 * Lesson 6: overfitting, when a model learns its examples instead of the task.
 *
 *     node --import ./tools/register.mjs examples/lessons/06-overfitting.ts
 *
 * The network of lesson 5, twice as wide, gets 200 digits instead of 3000. It has 50,890 weights: enough to know each of 200
 * pictures by heart. Watch both losses: the training loss can only tell that the model knows what it was shown. Whether it can
 * read is in the validation loss, which is why there is a validation set at all.
 */
import { DataLoader, mnistStats, normalize } from "../../data/index.ts";
import { loadMnist } from "../../data/node.ts";
import { manualSeed } from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { Flatten, Linear, ReLU, Sequential, SGD } from "../../nn/index.ts";
import { train, validate } from "./05-a-network-by-hand.ts";

const epochs = 24;

export async function main(print: (line: string) => void = console.log) {
  const device = await openNodeDevice();
  const mnist = await loadMnist();
  const transform = normalize(mnistStats);
  const training = new DataLoader({
    dataset: mnist.train.slice(0, 200),
    batchSize: 100,
    shuffle: true,
    transform,
  });
  const validation = new DataLoader({
    dataset: mnist.test.slice(0, 400),
    batchSize: 400,
    transform,
  });

  manualSeed(1);
  const model = new Sequential(
    new Flatten(),
    new Linear({ inFeatures: 784, outFeatures: 64 }),
    new ReLU(),
    new Linear({ inFeatures: 64, outFeatures: 10 }),
  );
  // Momentum: each step goes on in the direction of the ones before it, as a ball that rolls downhill. It gets there sooner.
  const optimizer = new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });

  const rows = [];
  print("epoch  training  validation  accuracy   t, v: the two losses from 0 to 2.3");
  for (let epoch = 1; epoch <= epochs; epoch++) {
    const trainingLoss = await train(model, optimizer, training);
    const { loss, accuracy } = await validate(model, validation);
    rows.push({ epoch, trainingLoss, validationLoss: loss, accuracy });
    if (epoch > 8 && epoch % 4 !== 0) continue;
    const numbers = [trainingLoss.toFixed(3).padStart(10), loss.toFixed(3).padStart(12)].join("");
    const percent = (100 * accuracy).toFixed(1).padStart(8);
    print(`${String(epoch).padStart(5)}${numbers}${percent} %   ${plot(trainingLoss, loss)}`);
  }

  const best = rows.reduce((a, b) => (b.validationLoss < a.validationLoss ? b : a));
  const last = rows.at(-1) ?? best;
  print(
    `\nAfter epoch ${best.epoch} the validation loss turns and climbs from ${best.validationLoss.toFixed(3)} to ${last.validationLoss.toFixed(3)},` +
      ` while the training loss falls from ${best.trainingLoss.toFixed(3)} to ${last.trainingLoss.toFixed(3)}.`,
  );
  print(
    "It gets ever better at its 200 pictures and, by the loss, worse at all others: it overfits.",
  );
  // Two measures, two answers: the loss also asks how sure the model was, the accuracy does not.
  print(
    "The accuracy hardly shows it: not more digits are wrong, but it is surer of the wrong ones.",
  );

  await device.close();
  return { rows, best, last };
}

/** `|    t         v      `: 20 characters for a loss of 1. */
function plot(trainingLoss: number, validationLoss: number): string {
  const line = new Array<string>(48).fill(" ");
  line[Math.round(20 * trainingLoss)] = "t";
  line[Math.round(20 * validationLoss)] = "v";
  return `|${line.join("").trimEnd()}`;
}

if (process.argv[1] === import.meta.filename) await main();
