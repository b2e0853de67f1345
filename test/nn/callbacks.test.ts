/** @file Callbacks that watch the numbers of the epochs, and gradients of several batches. */
import { describe, expect, test } from "vitest";
import { crossEntropy, manualSeed, tensor } from "../../engine/index.ts";
import {
  Checkpointer,
  EarlyStopping,
  GradientAccumulation,
  Learner,
  Linear,
  linesOnly,
  overfittingNotice,
  ParamScheduler,
  ReduceLROnPlateau,
  SaveBest,
  SGD,
  type Batch,
  type Callback,
  type EpochRow,
  type Loader,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../vision/index.ts";
import { makeLearner, Points, stateOf } from "./resume-run.ts";

useDevice();

/** Writes these losses over those that were measured, before anybody looks. */
function pretend(validLosses: readonly number[], trainLosses: readonly number[] = []): Callback {
  return {
    order: 55,
    afterEpoch: ({ recorder, epoch }) => {
      const row = recorder.rows.at(-1);
      if (row === undefined) return;
      const validLoss = validLosses[epoch] ?? NaN;
      recorder.rows[recorder.rows.length - 1] = {
        ...row,
        validLoss,
        trainLoss: trainLosses[epoch] ?? row.trainLoss,
      };
    },
  };
}

function learnerWith(callbacks: readonly Callback[]): { learner: Learner; said: string[] } {
  const lines: string[] = [];
  manualSeed(1);
  const learner = makeLearner({ callbacks, progress: linesOnly((line) => lines.push(line)) });
  return { learner, said: lines };
}

const messages = (lines: readonly string[]) => lines.filter((line) => !/^(epoch|\d+) /.test(line));

describe("EarlyStopping", () => {
  test.each([
    [{}, 3],
    [{ patience: 2 }, 6],
    [{ minDelta: 0.15, patience: 2 }, 3],
    [{ minDelta: 0.05, patience: 2 }, 6],
  ])("%o ends the fit after %d epochs", async (options, epochs) => {
    const losses = [1, 0.9, 0.95, 0.8, 0.85, 0.82, 0.7];
    const { learner, said } = learnerWith([pretend(losses), new EarlyStopping(options)]);
    await learner.fit(7, 0.01);
    expect(learner.recorder.rows).toHaveLength(epochs);
    expect(messages(said).at(-1)).toMatch(/^No improvement of valid_loss for \d epochs?: early/);
    expect(learner.stopReason).toBeUndefined();
  });

  test("needs no options, and the next fit goes on with an epoch of its own", async () => {
    const { learner, said } = learnerWith([pretend([1, 2, 3]), new EarlyStopping()]);
    await learner.fit(3, 0.01);
    expect(messages(said)).toEqual(["No improvement of valid_loss for 1 epoch: early stopping."]);
    expect(learner.epochsSeen).toBe(2);
    const asked: number[] = [];
    class Asked extends Points {
      override *epoch(index: number): Iterable<Batch> {
        asked.push(index);
        yield* super.epoch(index);
      }
    }
    const callbacks = [pretend([1, 2, 3]), new EarlyStopping()];
    const tuned = makeLearner({ train: new Asked(), callbacks });
    await tuned.fineTune(1, 0.01, { freezeEpochs: 3 });
    expect(asked).toEqual([0, 1, 2]);
    expect(tuned.epochsSeen).toBe(3);
  });

  test("passes over what is NaN, and says so", async () => {
    const { learner, said } = learnerWith([pretend([NaN, 1, NaN, 2, 3]), new EarlyStopping()]);
    await learner.fit(5, 0.01);
    expect(messages(said)).toMatchInlineSnapshot(`
      [
        "EarlyStopping: valid_loss is NaN in epoch 0: passed over.",
        "EarlyStopping: valid_loss is NaN in epoch 2: passed over.",
        "No improvement of valid_loss for 1 epoch: early stopping.",
      ]
    `);
    expect(learner.recorder.rows).toHaveLength(4);
  });

  test("refuses what an empty validation set does not give", async () => {
    const learner = makeLearner({ valid: new Points(0), callbacks: [new EarlyStopping()] });
    await expect(learner.fit(1)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: EarlyStopping: the fit has no valid_loss, for want of validation: [train_loss]. Monitor one of these, or pass a validation set]`,
    );
  });

  test("refuses what is not measured", async () => {
    const { learner } = learnerWith([new EarlyStopping({ monitor: "dice" })]);
    await expect(learner.fit(1)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: EarlyStopping: the fit has no dice: [train_loss, valid_loss, accuracy]. Monitor one of these, or pass a validation set]`,
    );
    expect(() => new EarlyStopping({ patience: 0 })).toThrow(/patience/);
  });
});

describe("ReduceLROnPlateau", () => {
  test("divides the rates of all groups, down to minLr", async () => {
    const rates: number[][] = [];
    const reading: Callback = {
      order: 70,
      afterEpoch: ({ optimizer }) => {
        rates.push(optimizer.groups.map(({ lr }) => lr));
      },
    };
    const reducing = new ReduceLROnPlateau({ minLr: 0.002 });
    const { learner, said } = learnerWith([pretend([1, 2, 3, 0.5]), reducing, reading]);
    await learner.fit(4, [0.1, 0.01]);
    expect(rates).toEqual([
      [0.1, 0.01],
      [0.01, 0.002],
      [0.002, 0.002],
      [0.002, 0.002],
    ]);
    expect(messages(said)).toMatchInlineSnapshot(`
      [
        "Epoch 1: reducing lr to 1e-2, 2e-3.",
        "Epoch 2: reducing lr to 2e-3, 2e-3.",
      ]
    `);
  });
});

test("ReduceLROnPlateau refuses a schedule of the learning rate, and no other", async () => {
  const { learner } = learnerWith([new ReduceLROnPlateau()]);
  await expect(learner.fitOneCycle(1, 0.01)).rejects.toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: ReduceLROnPlateau: the fit has a schedule of the learning rate, which would undo each reduction at once. Use fit, without a ParamScheduler of the learning rate, or leave ReduceLROnPlateau out]`,
  );
  await expect(learner.fineTune(1, 0.01)).rejects.toThrow("has a schedule of the learning rate");
  const lr = new ParamScheduler({ lr: () => 0.1 });
  await expect(learner.fit(1, 0.01, { callbacks: [lr] })).rejects.toThrow("has a schedule");
  const momentum = new ParamScheduler({ momentum: () => 0.9 });
  await learner.fit(1, 0.01, { callbacks: [momentum] });
  expect(learner.isScheduled("lr")).toBe(false);
  await learner.lrFind({ numIt: 6 });
});

describe("SaveBest", () => {
  const weights = async ({ model }: Learner) =>
    Promise.all(model.parameters().map(async (p) => [...(await p.data())]));

  test("puts the best epoch back, and hands it over", async () => {
    const written: number[] = [];
    const history: unknown[] = [];
    const reading: Callback = {
      order: 80,
      afterEpoch: async (learner) => {
        history.push(await weights(learner));
      },
    };
    const saving = new SaveBest({
      write: (state, { epoch }) => {
        expect(state.has("0.1.running_mean")).toBe(true);
        written.push(epoch);
      },
    });
    const { learner, said } = learnerWith([pretend([1, 0.5, 0.7, 0.6]), saving, reading]);
    await learner.fit(4, 0.01);
    expect(written).toEqual([0, 1]);
    expect(saving.best).toBe(0.5);
    expect(await weights(learner)).toEqual(history[1]);
    expect(history[3]).not.toEqual(history[1]);
    expect(said.filter((line) => line.startsWith("Better"))).toMatchInlineSnapshot(`
      [
        "Better model found at epoch 0 with valid_loss: 1.000000.",
        "Better model found at epoch 1 with valid_loss: 0.500000.",
      ]
    `);
  });

  test("watches a metric upwards, and travels in a checkpoint", async () => {
    let saved: Uint8Array<ArrayBuffer> | undefined;
    const write = (checkpoint: Parameters<typeof encodeCheckpoint>[0]): void => {
      if (checkpoint.progress.place.epoch === 2) saved = encodeCheckpoint(checkpoint);
    };
    const make = () => [
      pretend([1, 3, 2]),
      new SaveBest({ comp: "greater" }),
      new EarlyStopping({ patience: 9 }),
    ];
    const { learner } = learnerWith([...make(), new Checkpointer({ write })]);
    await learner.fit(3, 0.01);
    if (saved === undefined) throw new Error("there is no checkpoint");
    const other = learnerWith(make()).learner.resume(decodeCheckpoint(saved));
    await other.fit(3, 0.01);
    expect(await stateOf(other)).toEqual(await stateOf(learner));
    expect(new SaveBest({ monitor: "accuracy" }).monitor).toBe("accuracy");
  });
});

describe("GradientAccumulation", () => {
  test("steps when enough samples have been seen", async () => {
    const steps: number[] = [];
    const run = async (nAcc: number, length: number) => {
      manualSeed(4);
      const learner = makeLearner({ train: new Points(length), callbacks: [counting] });
      await learner.fit(1, 0.1, { callbacks: [new GradientAccumulation(nAcc)] });
      steps.push(stepped);
      stepped = 0;
      return learner.recorder.losses;
    };
    let stepped = 0;
    const counting: Callback = { afterStep: () => stepped++ };
    const plain = await run(1, 5);
    const halved = await run(16, 5);
    // Batches of 8, 8, 8, 8 and 5 samples.
    expect(steps).toEqual([5, 2]);
    // The first batches see the same weights, and losses are shown as they are.
    expect(halved[0]).toBe(plain[0]);
    expect(halved).toHaveLength(5);
  });

  test("makes of two halves the step of the whole batch", async () => {
    const stepOf = async (size: number, nAcc: number) => {
      manualSeed(4);
      const model = new Linear({ inFeatures: 2, outFeatures: 3 });
      const [numbers, labels] = [
        [1, 2, -1, 0.5, 0.25, -2, 3, 1],
        [0, 2, 1, 1],
      ];
      const train: Loader = {
        length: 4 / size,
        batchSize: size,
        *epoch() {
          for (let i = 0; i < 4; i += size) {
            const x = tensor(numbers.slice(2 * i, 2 * (i + size)), { shape: [size, 2] });
            const y = tensor(labels.slice(i, i + size), { dtype: "i32" });
            yield { x, y, size };
          }
        },
      };
      const learner = new Learner({
        ...{ train, model, loss: crossEntropy, optimizer: new SGD(model.parameters()) },
        progress: linesOnly(() => undefined),
      });
      await learner.fit(1, 0.5, { callbacks: [new GradientAccumulation(nAcc)] });
      return Array.from(await model.weight.data());
    };
    const whole = await stepOf(4, 4);
    const halves = await stepOf(2, 4);
    halves.forEach((value, i) => {
      expect(value).toBeCloseTo(whole[i] ?? NaN, 6);
    });
  });

  test("makes checkpoints wait for the step", async () => {
    const places: number[] = [];
    const write = ({ progress }: { progress: { place: { step: number } } }): void => {
      places.push(progress.place.step);
    };
    const learner = makeLearner();
    const callbacks = [new GradientAccumulation(16), new Checkpointer({ write, everyBatches: 1 })];
    await learner.fit(2, 0.01, { callbacks });
    // Of each epoch's batches of 8, 8, 8, 8 and 5 samples, the last one waits for the next epoch.
    expect(places).toEqual([2, 4, 7, 9]);
  });
});

describe("the notice of overfitting", () => {
  const rows = (valid: readonly number[], train: readonly number[]): EpochRow[] =>
    valid.map((validLoss, epoch) => ({
      ...{ epoch, validLoss, trainLoss: train[epoch] ?? NaN, metrics: [], seconds: 0 },
    }));

  test("needs two epochs above the minimum, and a training loss that fell", () => {
    expect(overfittingNotice(rows([0.5, 0.6], [0.5, 0.4]))).toBeUndefined();
    expect(overfittingNotice(rows([0.5, 0.6, 0.7], [0.5, 0.55, 0.6]))).toBeUndefined();
    expect(overfittingNotice(rows([0.5, 0.6, 0.4], [0.5, 0.4, 0.3]))).toBeUndefined();
    // Back at its minimum, after a learning rate that was high for an epoch.
    expect(overfittingNotice(rows([0.5, 0.9, 0.501], [0.5, 0.4, 0.3]))).toBeUndefined();
    // The first epochs of a ResNet-20 at a high learning rate: no better on the training set than on the other.
    expect(overfittingNotice(rows([1.94, 3.59, 2.0], [2.0, 1.78, 1.68]))).toBeUndefined();
    expect(overfittingNotice(rows([0.5, 0.6, 0.7], [0.5, 0.4, 0.3]))).toMatchInlineSnapshot(
      `"Overfitting: valid_loss has been above its minimum of 0.500000 (epoch 0) for 2 epochs, while train_loss fell from 0.500000 to 0.300000. Train for fewer epochs, augment the data or add weight decay; the callback SaveBest keeps the best epoch."`,
    );
  });

  test("is printed once for each minimum", async () => {
    const valid = [0.5, 0.6, 0.7, 0.8, 0.4, 0.5, 0.6];
    const train = [0.5, 0.4, 0.3, 0.2, 0.19, 0.18, 0.17];
    const { learner, said } = learnerWith([pretend(valid, train)]);
    await learner.fit(7, 0.01);
    const at = said.flatMap((line, i) => (line.startsWith("Overfitting") ? [i] : []));
    expect(at).toEqual([4, 9]);
    const quiet = learnerWith([pretend([0.5, 0.4, 0.3])]);
    await quiet.learner.fit(3, 0.01);
    expect(messages(quiet.said)).toEqual([]);
  });
});
