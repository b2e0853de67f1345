/** @file The learner's option `replay`: the same training, recorded once. */
import { describe, expect, test } from "vitest";
import { crossEntropy, defaultGenerator, keep, manualSeed, tensor } from "../../engine/index.ts";
import {
  accuracy,
  BatchNorm1d,
  Dropout,
  GradientClip,
  Learner,
  Linear,
  linesOnly,
  Sequential,
  type Batch,
  type Callback,
  type LearnerOptions,
  type Loader,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";

const device = useDevice();

const [features, classes] = [4, 3];

/** Batches of these sizes. */
class Points implements Loader {
  readonly batchSize = 8;
  readonly length: number;
  readonly #sizes: readonly number[];

  constructor(sizes: readonly number[]) {
    this.length = sizes.length;
    this.#sizes = sizes;
  }

  *epoch(index: number): Iterable<Batch> {
    const random = seededRandom(index + 1);
    const numbers = (count: number) => Array.from({ length: count }, random);
    for (const size of this.#sizes) {
      const x = keep(tensor(numbers(size * features), { shape: [size, features] }));
      const labels = numbers(size).map((number) => Math.floor(number * classes));
      yield { x, y: keep(tensor(labels, { dtype: "i32" })), size };
    }
  }
}

/** Trains from the same start; how often the model's code ran, and all that came out. */
async function train(options: Partial<LearnerOptions>, half = false) {
  manualSeed(11);
  let forwards = 0;
  class Counted extends Sequential {
    override forward(x: Parameters<Sequential["forward"]>[0]) {
      forwards++;
      return super.forward(x);
    }
  }
  const model = new Counted(
    new Linear({ inFeatures: features, outFeatures: 16 }),
    new BatchNorm1d({ numFeatures: 16, activation: "relu" }),
    new Dropout({ p: 0.2 }),
    new Linear({ inFeatures: 16, outFeatures: classes }),
  );
  const [train, valid] = [new Points([8, 8, 8, 8, 5]), new Points([8, 8])];
  const learner = new Learner({
    ...{ train, valid, model, loss: crossEntropy, metrics: [accuracy()] },
    progress: linesOnly(() => undefined),
    ...options,
  });
  if (half) learner.toFp16();
  await learner.fitOneCycle(3, 0.02);
  const weights = await Promise.all([...model.stateDict().values()].map((t) => t.data()));
  return {
    forwards,
    results: {
      losses: learner.recorder.losses,
      rows: learner.recorder.rows.map(({ trainLoss, validLoss, metrics }) => ({
        ...{ trainLoss, validLoss, metrics },
      })),
      weights: weights.map((values) => [...values]),
      random: defaultGenerator().state,
    },
  };
}

describe("the option replay", () => {
  test("trains bit for bit as without, and runs the model's code less often", async () => {
    const plain = await train({});
    const replayed = await train({ replay: true });
    expect(replayed.results).toEqual(plain.results);
    expect(plain.forwards).toBe(3 * (5 + 2));
    // Of each epoch's batches, two of 8 and the one of 5 are recorded: the model was in evaluation mode before.
    expect(replayed.forwards).toBe(3 * (3 + 2));
  });

  test("clips gradients all the same", async () => {
    const callbacks = [new GradientClip(0.1)];
    const plain = await train({ callbacks });
    const replayed = await train({ callbacks, replay: true });
    expect(replayed.results).toEqual(plain.results);
    expect(replayed.forwards).toBeLessThan(plain.forwards);
  });

  test("replays nothing where a callback has to see each step", async () => {
    let seen = 0;
    const watching: Callback = { runValid: false, afterLoss: () => seen++ };
    const { forwards } = await train({ callbacks: [watching], replay: true });
    expect([seen, forwards]).toEqual([15, 21]);
  });

  test("goes together with mixed precision", async (context) => {
    if (!device().has("shader-f16")) context.skip();
    const plain = await train({}, true);
    const replayed = await train({ replay: true }, true);
    expect(replayed.results).toEqual(plain.results);
    expect(replayed.forwards).toBeLessThan(plain.forwards);
  });
});
