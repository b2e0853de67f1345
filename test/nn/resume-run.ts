/** @file A small run with dropout, batch norm and Adam, for the tests of resuming; as a program it is there to be killed. */
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { crossEntropy, defaultGenerator, keep, manualSeed, tensor } from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import {
  accuracy,
  BatchNorm1d,
  Checkpointer,
  Dropout,
  Learner,
  Linear,
  linesOnly,
  Sequential,
  type Batch,
  type Checkpoint,
  type LearnerOptions,
  type Loader,
} from "../../nn/index.ts";
import { readCheckpoint, writeCheckpoint } from "../../vision/node.ts";
import { seededRandom } from "../inputs.ts";

const [features, classes] = [4, 3];

/** Another order in every epoch; the last batch is smaller. */
export class Points implements Loader {
  readonly batchSize = 8;
  readonly length: number;

  constructor(length = 5) {
    this.length = length;
  }

  *epoch(index: number): Iterable<Batch> {
    const random = seededRandom(index + 1);
    const numbers = (count: number) => Array.from({ length: count }, random);
    const { length } = this;
    for (let i = 0; i < length; i++) {
      const size = i === length - 1 ? 5 : this.batchSize;
      const x = keep(tensor(numbers(size * features), { shape: [size, features] }));
      const labels = numbers(size).map((number) => Math.floor(number * classes));
      const y = keep(tensor(labels, { dtype: "i32" }));
      yield { x, y, size };
      x.release();
      y.release();
    }
  }
}

export function makeLearner(options: Partial<LearnerOptions> = {}): Learner {
  const model = new Sequential(
    new Sequential(
      new Linear({ inFeatures: features, outFeatures: 16 }),
      new BatchNorm1d({ numFeatures: 16, activation: "relu" }),
    ),
    new Dropout({ p: 0.3 }),
    new Linear({ inFeatures: 16, outFeatures: classes }),
  );
  return new Learner({
    ...{ train: new Points(), valid: new Points(2), model, loss: crossEntropy },
    metrics: [accuracy()],
    splitter: () => [[...model][0]?.parameters() ?? [], [...model][2]?.parameters() ?? []],
    progress: linesOnly(() => undefined),
    ...options,
  });
}

/** Everything that two runs must have in common. */
export async function stateOf(learner: Learner) {
  const { tensors, progress } = await learner.checkpoint();
  const { rows, losses, smoothLosses, learningRates, momentums } = learner.recorder;
  const plainRows = rows.map((row) => ({ ...row, seconds: 0 }));
  return {
    tensors: Object.fromEntries(
      [...tensors].map(([name, { data }]) => [name, [...data].map(String)]),
    ),
    generators: progress.generators,
    ...{ rows: plainRows, losses, smoothLosses, learningRates, momentums },
    random: defaultGenerator().state,
  };
}

/** Trains, going on from the file if there is one, and writes a checkpoint after every batch. */
export async function trainWithFile(file: string, epochs: number): Promise<Learner> {
  manualSeed(11);
  const learner = makeLearner();
  if (existsSync(file)) learner.resume(await readCheckpoint(file));
  const write = (checkpoint: Checkpoint): Promise<void> => writeCheckpoint(file, checkpoint);
  const callbacks = [new Checkpointer({ write, everyBatches: 1 })];
  await learner.fitOneCycle(epochs, 0.02, { callbacks });
  return learner;
}

const [, program, file, epochs] = process.argv;
if (program === import.meta.filename && file !== undefined) {
  const device = await openNodeDevice();
  const learner = await trainWithFile(file, Number(epochs));
  await writeFile(`${file}.json`, JSON.stringify(await stateOf(learner)));
  await device.close();
}
