/**
 * Lesson 9: fine-tuning, what `learn.fineTune` does, written out.
 *
 *     node --import ./tools/register.mjs examples/lessons/09-fine-tuning-by-hand.ts
 *
 * Chapter 1 of the book gets far with few photos, because its network has learned from a million others before: it is pretrained. Its first
 * layers see edges and curves, which all pictures have. Here a network learns the digits 0 to 4, and then, from 50 pictures, the digits 5 to 9,
 * which it has never seen. Another one learns these from the same 50 pictures without having learned anything before. Another seed gives
 * other numbers, the last one above all (42 to 60 % with three seeds), in the same order.
 */
import { ArrayDataset, DataLoader, mnistStats, normalize } from "../../data/index.ts";
import { loadMnist } from "../../data/node.ts";
import { manualSeed, setRequiresGrad } from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import {
  Conv2d,
  GlobalMaxPool,
  Linear,
  ReLU,
  Sequential,
  SGD,
  type Module,
} from "../../nn/index.ts";
import { train, validate } from "./05-a-network-by-hand.ts";

/** The layers that look at the picture: from 28 x 28 pixels to 64 numbers that say which shapes occur in it. */
function makeBody(): Sequential {
  return new Sequential(
    new Conv2d({ inChannels: 1, outChannels: 16, kernelSize: 5, stride: 2, padding: 2 }),
    new ReLU(),
    new Conv2d({ inChannels: 16, outChannels: 32, kernelSize: 3, stride: 2, padding: 1 }),
    new ReLU(),
    new Conv2d({ inChannels: 32, outChannels: 64, kernelSize: 3, stride: 2, padding: 1 }),
    new ReLU(),
    new GlobalMaxPool(),
  );
}

/** The layer that decides: one score for each of five digits. */
const makeHead = (): Linear => new Linear({ inFeatures: 64, outFeatures: 5 });

/** Frozen weights are used, but they do not learn; their gradients are not even computed. */
function setFrozen(module: Module, frozen: boolean): void {
  for (const parameter of module.parameters()) setRequiresGrad(parameter, !frozen);
}

/** Digits from `first` to `first + 4`, as classes 0 to 4, in batches. */
function digits(
  dataset: ArrayDataset,
  first: number,
  count: number,
  batchSize: number,
): DataLoader {
  const labels = Array.from(dataset.y.data);
  const wanted = labels.flatMap((label, i) => (label >= first && label < first + 5 ? [i] : []));
  const { x, y } = dataset.gather(Uint32Array.from(wanted.slice(0, count)));
  const classes = Int32Array.from(y.data, (label) => label - first);
  return new DataLoader({
    dataset: new ArrayDataset({ x, y: { shape: y.shape, data: classes } }),
    ...{ batchSize, shuffle: true, transform: normalize(mnistStats) },
  });
}

export async function main(print: (line: string) => void = console.log) {
  const device = await openNodeDevice();
  const mnist = await loadMnist();
  const many = digits(mnist.train, 0, 15_000, 100);
  const few = digits(mnist.train, 5, 50, 25);
  const others = digits(mnist.test, 5, 1000, 500);
  const accuracyOf = async (model: Module) => (await validate(model, others)).accuracy;
  const report = (what: string, accuracy: number): void => {
    print(`${what.padEnd(62)}${(100 * accuracy).toFixed(1)} %`);
  };

  manualSeed(1);
  const body = makeBody();
  const before = new Sequential(body, makeHead());
  const rate = { lr: 0.05, momentum: 0.9 };
  const optimizer = new SGD(before.parameters(), rate);
  for (let epoch = 0; epoch < 4; epoch++) await train(before, optimizer, many);
  const known = (await validate(before, digits(mnist.test, 0, 1000, 500))).accuracy;
  report("Pretrained: 15,000 digits from 0 to 4, of which it reads", known);
  print("\nNow 50 digits from 5 to 9, ten or so of each. Of 1000 others it reads");

  // The old head knows the wrong digits: it is cut off. The new one knows nothing, and says something at random.
  const head = makeHead();
  const model = new Sequential(body, head);
  const start = await accuracyOf(model);
  report("  with a new head, before it has learned", start);

  // First the head alone. Its first steps are wild; they must not spoil what the body knows. So the body is frozen.
  setFrozen(body, true);
  const ofHead = new SGD(head.parameters(), rate);
  for (let epoch = 0; epoch < 20; epoch++) await train(model, ofHead, few);
  const frozen = await accuracyOf(model);
  report("  after the head has learned, the body frozen", frozen);

  // Then everything, the body in small steps: what it knows is nearly right. These are discriminative learning rates.
  setFrozen(body, false);
  const groups = [
    { parameters: body.parameters(), lr: rate.lr / 3 },
    { parameters: head.parameters(), lr: rate.lr },
  ];
  const ofAll = new SGD(groups, rate);
  for (let epoch = 0; epoch < 20; epoch++) await train(model, ofAll, few);
  const tuned = await accuracyOf(model);
  report("  after all of it has learned, the body in small steps", tuned);

  const newcomer = new Sequential(makeBody(), makeHead());
  const fromScratch = new SGD(newcomer.parameters(), rate);
  for (let epoch = 0; epoch < 40; epoch++) await train(newcomer, fromScratch, few);
  const scratch = await accuracyOf(newcomer);
  report("\nOne that has never seen a digit before, from the same 50", scratch);

  await device.close();
  return { known, start, frozen, tuned, scratch };
}

if (process.argv[1] === import.meta.filename) await main();
