/** @file Parameter groups of the learner: slices of learning rates, freezing, fineTune with fastai's numbers. */
import { describe, expect, test } from "vitest";
import {
  crossEntropy,
  keep,
  manualSeed,
  profile,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import {
  BatchNorm1d,
  BatchNorm2d,
  BnFreeze,
  Conv2d,
  GlobalAveragePool,
  Learner,
  LayerNorm,
  Linear,
  linesOnly,
  Sequential,
  SGD,
  slice,
  type Batch,
  type Callback,
  type FitPhase,
  type LearnerOptions,
  type Loader,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";

useDevice();

/** Batches of one size, the same in every epoch. */
class Points implements Loader {
  readonly batchSize = 4;
  readonly length: number;
  readonly #shape: readonly number[];

  constructor(length: number, shape: readonly number[] = [2]) {
    this.length = length;
    this.#shape = shape;
  }

  *epoch(): Iterable<Batch> {
    const random = seededRandom(1);
    const shape = [this.batchSize, ...this.#shape];
    const size = shape.reduce((product, axis) => product * axis, 1);
    const { length } = this;
    for (let i = 0; i < length; i++) {
      const x = keep(tensor(Array.from({ length: size }, random), { shape }));
      const y = keep(tensor([0, 1, 0, 1], { dtype: "i32" }));
      yield { x, y, size: this.batchSize };
      x.release();
      y.release();
    }
  }
}

/** Three groups: two bodies and a head. */
function threeLayers(): Sequential {
  manualSeed(3);
  return new Sequential(
    new Linear({ inFeatures: 2, outFeatures: 3 }),
    new Linear({ inFeatures: 3, outFeatures: 3 }),
    new Linear({ inFeatures: 3, outFeatures: 2 }),
  );
}

const byLayer = (model: Sequential): Tensor[][] => [...model].map((layer) => layer.parameters());

function makeLearner(options: Partial<LearnerOptions> = {}, lines: string[] = []): Learner {
  return new Learner({
    train: new Points(2),
    model: threeLayers(),
    loss: crossEntropy,
    splitter: byLayer,
    progress: linesOnly((line) => lines.push(line)),
    ...options,
  });
}

/** Learning rates of all groups and the momentum, at each training batch. */
interface Reading {
  readonly phase: FitPhase | undefined;
  readonly rates: readonly number[];
  readonly momentum: number;
}

function readHypers(): { readings: Reading[]; callback: Callback } {
  const readings: Reading[] = [];
  const callback: Callback = {
    runValid: false,
    afterBatch: ({ phase, optimizer: { groups } }) => {
      readings.push({
        phase,
        rates: groups.map(({ lr }) => lr),
        momentum: groups[0]?.momentum ?? NaN,
      });
    },
  };
  return { readings, callback };
}

function expectRatio(value: number | undefined, expected: number): void {
  expect((value ?? NaN) / expected).toBeCloseTo(1, 6);
}

describe("learning rates of groups", () => {
  test.each([
    ["a number is for all", 0.1, [0.1, 0.1, 0.1]],
    ["a list is one for each", [0.1, 0.2, 0.3], [0.1, 0.2, 0.3]],
    ["slice(x) is x for the last group, a tenth for the others", slice(2e-3), [2e-4, 2e-4, 2e-3]],
    ["slice(a, b) is geometric", slice(1e-5, 1e-3), [1e-5, 1e-4, 1e-3]],
  ] as const)("%s", async (_, lr, expected) => {
    const learner = makeLearner();
    await learner.fit(1, lr);
    learner.optimizer.groups.forEach((group, i) => {
      expectRatio(group.lr, expected[i] ?? NaN);
    });
  });

  test("of one group are the end of the slice", async () => {
    const model = threeLayers();
    const optimizer = new SGD(model.parameters());
    const learner = new Learner({
      ...{ train: new Points(1), model, optimizer, loss: crossEntropy },
      progress: linesOnly(() => undefined),
    });
    await learner.fit(1, slice(1e-5, 1e-3));
    expect(optimizer.groups.map(({ lr }) => lr)).toEqual([1e-3]);
    await learner.fit(1, slice(1e-2));
    expect(optimizer.groups.map(({ lr }) => lr)).toEqual([1e-2]);
  });

  test("that do not fit are refused", async () => {
    expect(() => slice(0, 1)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: slice: a learning rate is not a finite number above 0: 0. Use for example slice(1e-5, 1e-3)]`,
    );
    await expect(makeLearner().fit(1, [0.1, 0.2])).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: fit: 2 learning rates for 3 parameter groups: [0.1, 0.2]. Pass one number, slice(first, last), or one for each group]`,
    );
  });
});

describe("a splitter", () => {
  test("gives optFunc its groups", () => {
    const { optimizer } = makeLearner({ optFunc: (groups) => new SGD(groups, { momentum: 0.9 }) });
    expect(optimizer).toBeInstanceOf(SGD);
    expect(optimizer.groups.map(({ parameters }) => parameters.length)).toEqual([2, 2, 2]);
  });

  test("has to put each parameter into one group", () => {
    expect(() =>
      makeLearner({ splitter: (model) => [model.parameters().slice(1)] }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Learner: the splitter does not split the model: in no group: Tensor(f32[3, 2], requiresGrad). Put each parameter of the model into one group]`,
    );
    expect(() =>
      makeLearner({ splitter: (model) => [model.parameters(), model.parameters().slice(0, 1)] }),
    ).toThrow(/in two groups/);
    const model = threeLayers();
    const optimizer = new SGD(model.parameters());
    expect(() => makeLearner({ model, optimizer })).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Learner: both an optimizer and a splitter were given. Make the optimizer with its groups, new Adam([{ parameters: ... }, ...]), or pass optFunc]`,
    );
  });
});

describe("fineTune", () => {
  const golden = [
    [0, 8.0e-5, 0.95, 2.0e-4, 0.95],
    [1, 8.057102e-5, 0.94997, 2.025885e-4, 0.949676],
    [23, 3.665841e-4, 0.935074, 9.464102e-4, 0.856699],
    [28, 4.939872e-4, 0.928438, 9.999048e-4, 0.85001],
    [46, 1.055231e-3, 0.899207, 8.117468e-4, 0.868826],
    [91, 1.999996e-3, 0.85, 6.04809e-7, 0.949941],
  ] as const;

  test("over 92 batches has fastai's learning rates and momentums", async () => {
    const { readings, callback } = readHypers();
    await makeLearner({ train: new Points(92) }).fineTune(1, undefined, { callbacks: [callback] });
    const [frozen, unfrozen] = (["frozen", "unfrozen"] as const).map((phase) =>
      readings.filter((reading) => reading.phase === phase),
    );
    expect([readings.length, frozen?.length, unfrozen?.length]).toEqual([184, 92, 92]);
    for (const [batch, lr1, mom1, lr2, mom2] of golden) {
      const [first, second] = [frozen?.[batch], unfrozen?.[batch]];
      [lr1 / 10, lr1 / 10, lr1].forEach((lr, group) => {
        expectRatio(first?.rates[group], lr);
      });
      [lr2 / 100, lr2 / 10, lr2].forEach((lr, group) => {
        expectRatio(second?.rates[group], lr);
      });
      expect(first?.momentum).toBeCloseTo(mom1, 6);
      expect(second?.momentum).toBeCloseTo(mom2, 6);
    }
  });

  test("prints two tables, with phase, learning rates and trainable parameters", async () => {
    const lines: string[] = [];
    const learner = makeLearner({}, lines);
    await learner.fineTune(2, 2e-3, { freezeEpochs: 1 });
    expect(lines.map((line) => line.replace(/\d\.\d{6} +00:0\d +/, "..."))).toMatchInlineSnapshot(`
      [
        "frozen: epochs: 1, learning rates up to: 2e-4, 2e-4, 2e-3, trainable parameters: 8 of 29.",
        "epoch     train_loss  time    ",
        "0         ...",
        "unfrozen: epochs: 2, learning rates up to: 1e-5, 1e-4, 1e-3, trainable parameters: 29 of 29.",
        "epoch     train_loss  time    ",
        "0         ...",
        "1         ...",
      ]
    `);
    expect(learner.phase).toBeUndefined();
    expect(learner.model.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
  });

  test("hands other options to both fits, and ends when a callback stops it", async () => {
    const lines: string[] = [];
    const decays: number[] = [];
    const learner = makeLearner({}, lines);
    const callbacks: Callback[] = [
      {
        afterBatch: ({ optimizer }) => {
          decays.push(optimizer.groups[0]?.weightDecay ?? NaN);
        },
      },
    ];
    await learner.fineTune(1, 1e-3, { weightDecay: 0.125, callbacks });
    expect(decays).toEqual([0.125, 0.125, 0.125, 0.125]);
    const stopping: Callback = {
      afterEpoch: (learner) => learner.stop("enough"),
    };
    lines.length = 0;
    await learner.fineTune(1, 1e-3, { callbacks: [stopping] });
    expect(lines.filter((line) => line.startsWith("epoch"))).toHaveLength(1);
    expect(learner.stopReason).toBe("enough");
  });

  test("refuses numbers that make no sense", async () => {
    const learner = makeLearner();
    const wrong = [
      learner.fineTune(0),
      learner.fineTune(1, 0),
      learner.fineTune(1, 1e-3, { freezeEpochs: -1 }),
    ];
    const errors = wrong.map((fit) => fit.catch((error: unknown) => String(error)));
    expect(await Promise.all(errors)).toMatchInlineSnapshot(`
      [
        "ArgumentError: fineTune: the epochs are no whole number >= 1: 0. Use 1 or more",
        "ArgumentError: fineTune: these are no finite numbers above 0: baseLr 0, lrMult 100. Use for example 2e-3 and 100",
        "ArgumentError: fineTune: the freezeEpochs are no whole number >= 0: -1. Use 1, or 0 to train everything at once",
      ]
    `);
  });
});

describe("other policies", () => {
  test("fitFlatCos stays, then falls along a cosine", async () => {
    const { readings, callback } = readHypers();
    await makeLearner({ train: new Points(4) }).fitFlatCos(2, 1e-3, { callbacks: [callback] });
    const cosine = (p: number) => 1e-3 + ((1 + Math.cos(Math.PI * (1 - p))) * (1e-8 - 1e-3)) / 2;
    const expected = [...Array<number>(6).fill(1e-3), cosine(0), cosine(0.5)];
    readings.forEach(({ rates }, i) => {
      expectRatio(rates[2], expected[i] ?? NaN);
    });
  });

  test("fitSgdr starts anew after 1, 2 and 4 epochs", async () => {
    const { readings, callback } = readHypers();
    await makeLearner({ train: new Points(2) }).fitSgdr(3, 1, 1e-3, { callbacks: [callback] });
    expect(readings).toHaveLength(14);
    const cycle = (batches: number) =>
      Array.from(
        { length: batches },
        (_, i) => ((1 + Math.cos((Math.PI * i) / batches)) / 2) * 1e-3,
      );
    [...cycle(2), ...cycle(4), ...cycle(8)].forEach((lr, i) => {
      expectRatio(readings[i]?.rates[2], lr);
    });
  });

  test("fitSgdr of 6 cycles has its maximum at the first batch of each", async () => {
    const { readings, callback } = readHypers();
    await makeLearner({ train: new Points(3) }).fitSgdr(6, 1, 1e-3, { callbacks: [callback] });
    for (const epoch of [0, 1, 3, 7, 15, 31]) expectRatio(readings[3 * epoch]?.rates[2], 1e-3);
  });
});

/** Convolutions, a batch norm in each of the first two groups, and a head. */
function convolutions(): Sequential {
  manualSeed(5);
  const conv = (inChannels: number) =>
    new Conv2d({ inChannels, outChannels: 4, kernelSize: 3, padding: 1, bias: false });
  return new Sequential(
    new Sequential(conv(3), new BatchNorm2d({ numFeatures: 4, activation: "relu" })),
    new Sequential(conv(4), new BatchNorm2d({ numFeatures: 4, activation: "relu" })),
    new Sequential(new GlobalAveragePool(), new Linear({ inFeatures: 4, outFeatures: 2 })),
  );
}

function convolutionLearner(options: Partial<LearnerOptions> = {}, lines: string[] = []): Learner {
  return makeLearner({ train: new Points(2, [6, 6, 3]), model: convolutions(), ...options }, lines);
}

describe("freezing", () => {
  const trained = ({ model }: Learner) =>
    model.parameters().map(({ requiresGrad }) => requiresGrad);

  test("spares the norms, unless trainBn is false", () => {
    const learner = convolutionLearner();
    // Of each body group: convolution, scale, shift; of the head: weight, bias.
    expect(trained(learner.freeze())).toEqual([false, true, true, false, true, true, true, true]);
    expect(trained(learner.freezeTo(1))).toEqual([
      false,
      true,
      true,
      ...Array<boolean>(5).fill(true),
    ]);
    expect(trained(learner.unfreeze())).not.toContain(false);
    learner.trainBn = false;
    expect(trained(learner.freezeTo(-2))).toEqual([
      false,
      false,
      false,
      ...Array<boolean>(5).fill(true),
    ]);
    const withNorm = new Sequential(new LayerNorm({ normalizedShape: 2 }), threeLayers());
    expect(trained(makeLearner({ model: withNorm }).freeze()).slice(0, 2)).toEqual([true, true]);
  });

  test("leaves frozen weights as they are, while norms and running statistics move", async () => {
    const model = convolutions();
    const learner = convolutionLearner({ model });
    const values = async () => {
      const entries = [...model.stateDict()].map(async ([name, t]) => [
        name,
        [...(await t.data())],
      ]);
      return Object.fromEntries(await Promise.all(entries)) as Record<string, number[]>;
    };
    const before = await values();
    await learner.freeze().fit(1, 0.1);
    const after = await values();
    const moved = Object.keys(after).filter((name) => String(after[name]) !== String(before[name]));
    expect(moved).not.toContain("0.0.weight");
    expect(moved).not.toContain("1.0.weight");
    expect(moved).toEqual(
      expect.arrayContaining(["0.1.weight", "0.1.running_mean", "1.1.running_var", "2.1.weight"]),
    );
    learner.trainBn = false;
    await learner.freeze().fit(1, 0.1, { callbacks: [new BnFreeze()] });
    const frozen = await values();
    const movedNow = Object.keys(frozen).filter((n) => String(frozen[n]) !== String(after[n]));
    expect(movedNow).toEqual(["2.1.weight", "2.1.bias"]);
  });

  test("frozen convolutions cost no weight gradients", async () => {
    const count = async (learner: Learner): Promise<number> => {
      const { kernels } = await profile(() => learner.fit(1, 0.1));
      return kernels
        .filter(({ kernel }) => kernel.startsWith("conv2d-weight-gradient/"))
        .reduce((sum, { dispatches }) => sum + dispatches, 0);
    };
    const learner = convolutionLearner({ train: new Points(1, [6, 6, 3]) });
    const both = await count(learner);
    const second = await count(learner.freezeTo(1));
    expect(second).toBeGreaterThan(0);
    expect(both).toBeGreaterThan(second);
    expect(await count(learner.freeze())).toBe(0);
  });

  test("drops moments and step counts, keeps hypers", async () => {
    const learner = makeLearner();
    await learner.fit(1, 0.5);
    learner.freeze();
    const { groups } = await learner.optimizer.stateDict();
    const parameters = groups.flatMap((group) => group.parameters);
    expect(parameters.map(({ step }) => step)).toEqual([0, 0, 0, 0, 0, 0]);
    for (const { moments } of parameters) {
      for (const moment of Object.values(moments)) expect(moment.every((m) => m === 0)).toBe(true);
    }
    expect(groups.map(({ hypers }) => hypers["lr"])).toEqual([0.5, 0.5, 0.5]);
  });

  test("says when the whole model is frozen, or nothing", () => {
    const lines: string[] = [];
    const learner = convolutionLearner({ trainBn: false }, lines);
    expect(trained(learner.freezeTo(3))).not.toContain(true);
    const model = new Sequential(new BatchNorm1d({ numFeatures: 2 }));
    const optimizer = new SGD(model.parameters());
    const { train, lossFunction: loss } = learner;
    const progress = linesOnly((line) => lines.push(line));
    new Learner({ train, loss, model, optimizer, progress }).freeze();
    expect(lines).toMatchInlineSnapshot(`
      [
        "freezeTo(3): parameter groups: 3, so the whole model is frozen.",
        "freezeTo(-1): parameter groups: 1, so nothing is frozen. Pass the learner a splitter.",
      ]
    `);
    expect(() => learner.freezeTo(-4)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: freezeTo: this is no index of 3 parameter groups: -4. Use a whole number from -3 on; 0 unfreezes all]`,
    );
    expect(() => learner.freezeTo(0.5)).toThrow(/no index/);
  });
});
