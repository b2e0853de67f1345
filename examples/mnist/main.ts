/**
 * @file The job of `npm start`: trains a small residual network on MNIST and leaves weights, history and pictures in `runs/<time>/`.
 * Ctrl-C ends the training early and still writes what there is.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DataLoader, mnistStats, normalize, type Mnist } from "../../data/index.ts";
import { loadMnist } from "../../data/node.ts";
import { crossEntropy, manualSeed, softmax } from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import { accuracy, CsvLogger, Learner, SmallResNet, type Callback } from "../../nn/index.ts";
import { terminalProgress } from "../../nn/node.ts";
import { plotLosses } from "../../vision/node.ts";
import { printAdapter, runProgram } from "../program.ts";
import { readOptions, type MnistOptions } from "./options.ts";
import { plotWorstDigits } from "./report/worst-digits.ts";
import { makeRunFolder, saveEachEpoch, saveHistory, saveWeights } from "./run-folder.ts";

/** What a shell expects of a program that was ended by Ctrl-C: 128 + SIGINT. */
const interruptedExitCode = 130;

let interrupted = false;

/** The first Ctrl-C ends the training after the current batch, the second one the program. */
function listenForInterrupt(): void {
  process.once("SIGINT", () => {
    interrupted = true;
    process.once("SIGINT", () => process.exit(interruptedExitCode));
  });
}

const stopWhenInterrupted: Callback = {
  afterBatch: (learner) => {
    if (interrupted) {
      learner.stop("Interrupted: writing what there is. Press Ctrl-C again to quit at once.");
    }
  },
};

function makeLoaders({ train, test }: Mnist, options: MnistOptions) {
  const { batchSize, seed, trainImages } = options;
  const transform = normalize(mnistStats);
  return {
    train: new DataLoader({
      dataset: train.slice(0, trainImages),
      batchSize,
      shuffle: true,
      seed,
      dropLast: true,
      transform,
    }),
    valid: new DataLoader({ dataset: test, batchSize: 500, transform }),
  };
}

async function trainAndReport(options: MnistOptions): Promise<void> {
  const { epochs, lr, seed } = options;
  const mnist = await loadMnist();
  manualSeed(seed);
  const model = new SmallResNet();
  const folder = await makeRunFolder();
  const table = new CsvLogger();
  const learner = new Learner({
    ...makeLoaders(mnist, options),
    model,
    loss: crossEntropy,
    metrics: [accuracy()],
    callbacks: [table, saveEachEpoch(folder, model, table), stopWhenInterrupted],
    progress: await terminalProgress(),
  });
  const start = performance.now();
  await learner.fitOneCycle(epochs, lr);
  const seconds = (performance.now() - start) / 1000;

  await saveWeights(folder, model);
  await saveHistory(folder, learner, table);
  const { predictions } = await learner.getPreds(learner.valid, softmax);
  await writeFile(join(folder, "loss.png"), await plotLosses(learner));
  const worst = await plotWorstDigits(mnist.test, predictions);
  await writeFile(join(folder, "worst-digits.png"), worst);
  printResult(predictions, mnist.test.y.data, seconds);
  console.log(
    `In ${folder}: model.safetensors, history.csv, steps.csv, loss.png, worst-digits.png.`,
  );
  if (interrupted) process.exitCode = interruptedExitCode;
  else if (learner.stopReason !== undefined) process.exitCode = 1;
}

/** `Accuracy on the 10,000 test images: 99.21 % (79 wrong), after 92 s of training.` */
function printResult(
  probabilities: Float32Array,
  labels: ArrayLike<number>,
  seconds: number,
): void {
  const classes = probabilities.length / labels.length;
  const isRight = (label: number, i: number): boolean => {
    const row = probabilities.subarray(i * classes, (i + 1) * classes);
    return row.indexOf(Math.max(...row)) === label;
  };
  const right = Array.from(labels).filter(isRight).length;
  const percent = ((100 * right) / labels.length).toFixed(2);
  const images = labels.length.toLocaleString("en");
  console.log(
    `Accuracy on the ${images} test images: ${percent} % (${labels.length - right} wrong), after ${Math.round(seconds)} s of training.`,
  );
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  listenForInterrupt();
  const device = await openNodeDevice();
  printAdapter(device);
  await trainAndReport(options);
  await device.close();
}

await runProgram(main);
