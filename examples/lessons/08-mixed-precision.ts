/**
 * Lesson 8: mixed precision, half the bytes for nearly the same numbers.
 *
 *     node --import ./tools/register.mjs examples/lessons/08-mixed-precision.ts
 *
 * A half float has 16 bits instead of 32, so everything that lies between the layers takes half the memory and half the time to
 * fetch. But it ends at 65,504, and below 0.00000006 there is only 0. Mixed precision uses it where that does no harm: weights
 * are kept in f32 and only multiplied in f16, sums are f32, and a scaler moves the gradients to where a half float can hold them.
 * The Learner does all of this by `learner.toFp16()`.
 */
import { DataLoader, mnistStats, normalize } from "../../data/index.ts";
import { loadMnist } from "../../data/node.ts";
import {
  backward,
  cast,
  crossEntropy,
  formatBytes,
  keep,
  manualSeed,
  mul,
  openScope,
  tensor,
  type Device,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { autocast, GradScaler, SGD, SmallResNet } from "../../nn/index.ts";

const steps = 40;

/** What becomes of numbers in a half float. */
async function rounded(numbers: readonly number[]): Promise<number[]> {
  return [...(await cast(tensor(numbers), "f16").data())];
}

/** The gradient 1e-8 on its way back through a half float, and how the scaler gets it through. */
async function smallGradients() {
  const weight = tensor([1], { requiresGrad: true });
  const optimizer = new SGD([weight], { lr: 1 });
  const scaler = new GradScaler({ initScale: 65536 });
  const loss = () => mul(cast(cast(weight, "f16"), "f32"), 1e-8);
  backward(loss());
  const lost = (await weight.grad?.item()) ?? NaN;
  optimizer.zeroGrad();
  // The scaler multiplies the loss, hence by the chain rule every gradient, and divides them when they are f32 again.
  backward(scaler.scale(loss()));
  scaler.unscale(optimizer);
  const saved = (await weight.grad?.item()) ?? NaN;
  return { lost, saved };
}

/** A step whose gradient became infinite: the optimizer misses it, and the scale is halved. */
async function overflow() {
  const weight = tensor([1], { requiresGrad: true });
  const optimizer = new SGD([weight], { lr: 1, momentum: 0.9 });
  const scaler = new GradScaler({ initScale: 65536 });
  weight.grad = keep(tensor([Infinity]));
  scaler.step(optimizer);
  scaler.update();
  return { weight: await weight.item(), scale: await scaler.getScale() };
}

/** Trains the network of `npm start` for some steps; returns its losses and the bytes that a forward pass leaves for backward. */
async function train(device: Device, half: boolean) {
  const { train: dataset } = await loadMnist();
  const transform = normalize(mnistStats);
  const batches = new DataLoader({
    dataset: dataset.slice(0, 64 * steps),
    batchSize: 64,
    transform,
  });
  manualSeed(1);
  const model = new SmallResNet();
  const optimizer = new SGD(model.parameters(), { lr: 0.05, momentum: 0.9 });
  const scaler = new GradScaler({ enabled: half });
  const losses: Promise<number>[] = [];
  let bytes = 0;
  for (const { x, y } of batches) {
    using _scope = openScope();
    const before = device.memory().liveBytes;
    const scores = autocast(() => model.forward(x), { enabled: half });
    bytes = device.memory().liveBytes - before;
    // The loss is f32 in both cases: it is one number, and its digits matter.
    const loss = crossEntropy(cast(scores, "f32"), y);
    backward(scaler.scale(loss));
    scaler.step(optimizer);
    scaler.update();
    optimizer.zeroGrad();
    losses.push(loss.item());
  }
  return { losses: await Promise.all(losses), bytes };
}

export async function main(print: (line: string) => void = console.log) {
  const device = await openNodeDevice();
  if (!device.has("shader-f16")) {
    print("This adapter has no half floats: it lacks the feature shader-f16.");
    await device.close();
    return undefined;
  }

  const numbers = [0.1, 2049, 65504, 65520, 1e-7, 1e-8];
  const halves = await rounded(numbers);
  numbers.forEach((number, i) => {
    print(`${String(number).padStart(8)} becomes ${halves[i] ?? NaN}`);
  });

  const { lost, saved } = await smallGradients();
  print(
    `\nA gradient of 1e-8 arrives as ${lost}; with the loss scaled, as ${saved.toPrecision(3)}.`,
  );
  const { weight, scale } = await overflow();
  print(`After an infinite gradient the weight is still ${weight}, and the scale is ${scale}.`);

  const full = await train(device, false);
  const half = await train(device, true);
  print("\nstep  loss in f32  loss in mixed precision");
  for (let step = 0; step < steps; step += 5) {
    const [a = NaN, b = NaN] = [full.losses[step], half.losses[step]];
    print(`${String(step).padStart(4)}${a.toFixed(4).padStart(13)}${b.toFixed(4).padStart(25)}`);
  }
  print(
    `\nWhat the layers keep for the backward pass: ${formatBytes(full.bytes)} in f32, ${formatBytes(half.bytes)} in mixed precision.`,
  );

  await device.close();
  return { halves, lost, saved, weight, scale, full, half };
}

if (process.argv[1] === import.meta.filename) await main();
