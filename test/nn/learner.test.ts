/** @file The fit loop on a small problem: events, history, table, progress, cancelling, memory, and the same bits twice. */
import { beforeEach, describe, expect, test, vi } from "vitest";
import {
  add,
  ArgumentError,
  crossEntropy,
  DeviceLostError,
  keep,
  log,
  mul,
  reshape,
  setDefaultDevice,
  softmax,
  sum,
  tensor,
  zeros,
  type Device,
  type Tensor,
} from "../../engine/index.ts";
import { openNodeDevice } from "../../engine/node.ts";
import {
  accuracy,
  CancelBackwardException,
  CancelBatchException,
  CancelEpochException,
  CancelFitException,
  CancelStepException,
  CancelTrainException,
  CancelValidException,
  errorRate,
  FindNonFinite,
  formatTime,
  GradientClip,
  Learner,
  linesOnly,
  ParamScheduler,
  SGD,
  type Batch,
  type BatchEvent,
  type Callback,
  type EpochEvent,
  type LearnerOptions,
  type Loader,
  type Model,
  type Progress,
  type ProgressState,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";

const device = useDevice();

const features = 4;
const classes = 3;

/** logits[b, c] = sum over f of x[b, f] * w[c, f], plus bias[c] */
class LinearModel implements Model {
  readonly weight = keep(zeros([classes, features], { requiresGrad: true }));
  readonly bias = keep(zeros([classes], { requiresGrad: true }));
  mode = "";

  forward(x: Tensor): Tensor {
    const products = mul(reshape(x, [x.shape[0] ?? 0, 1, features]), this.weight);
    return add(sum(products, -1), this.bias);
  }

  parameters(): Tensor[] {
    return [this.weight, this.bias];
  }

  train(): void {
    this.mode = "train";
  }

  eval(): void {
    this.mode = "eval";
  }
}

/** Points around one centre for each class; the order depends on the epoch. */
class Points implements Loader {
  readonly length: number;
  readonly epochsAsked: number[] = [];
  readonly datasetSize: number;
  readonly batchSize: number;

  constructor(datasetSize: number, batchSize: number) {
    this.datasetSize = datasetSize;
    this.batchSize = batchSize;
    this.length = Math.ceil(datasetSize / batchSize);
  }

  *epoch(index: number): Iterable<Batch> {
    this.epochsAsked.push(index);
    const random = seededRandom(index + 1);
    for (let start = 0; start < this.datasetSize; start += this.batchSize) {
      const size = Math.min(this.batchSize, this.datasetSize - start);
      const labels = Array.from({ length: size }, () => Math.floor(random() * classes));
      const points = labels.map((label) =>
        Array.from({ length: features }, (_, f) => (f === label ? 1 : 0) + random() - 0.5),
      );
      const x = keep(tensor(points, { shape: [size, features] }));
      const y = keep(tensor(labels, { dtype: "i32" }));
      yield { x, y, size };
      x.release();
      y.release();
    }
  }
}

let printed: string[] = [];
beforeEach(() => {
  printed = [];
});

function makeLearner(options: Partial<LearnerOptions> = {}): Learner {
  return new Learner({
    train: new Points(50, 16),
    valid: new Points(20, 16),
    model: new LinearModel(),
    loss: crossEntropy,
    metrics: [accuracy()],
    progress: linesOnly((line) => printed.push(line)),
    ...options,
  });
}

const epochEvents: EpochEvent[] = [
  "beforeFit",
  "beforeEpoch",
  "beforeTrain",
  "afterCancelTrain",
  "afterTrain",
  "beforeValidate",
  "afterCancelValidate",
  "afterValidate",
  "afterCancelEpoch",
  "afterEpoch",
  "afterCancelFit",
  "afterFit",
];
const batchEvents: BatchEvent[] = [
  "beforeBatch",
  "afterPred",
  "afterLoss",
  "beforeBackward",
  "afterCancelBackward",
  "afterBackward",
  "beforeStep",
  "afterCancelStep",
  "afterStep",
  "afterCancelBatch",
  "afterBatch",
];

/** Writes down every event. */
function eventLog(extra: Partial<Callback> = {}): { callback: Callback; events: string[] } {
  const events: string[] = [];
  const handlers = [...epochEvents, ...batchEvents].map((event) => [
    event,
    (learner: Learner) => {
      events.push(event);
      const more = extra[event];
      return more?.(learner);
    },
  ]);
  return { callback: { ...extra, ...Object.fromEntries(handlers) } as Callback, events };
}

describe("events", () => {
  test("come in fastai's order", async () => {
    const { callback, events } = eventLog();
    await makeLearner({ train: new Points(32, 16), callbacks: [callback] }).fit(1);
    const trainBatch = [
      "beforeBatch",
      "afterPred",
      "afterLoss",
      "beforeBackward",
      "afterBackward",
      "beforeStep",
      "afterStep",
      "afterBatch",
    ];
    const validBatch = ["beforeBatch", "afterPred", "afterLoss", "afterBatch"];
    expect(events).toEqual([
      "beforeFit",
      "beforeEpoch",
      "beforeTrain",
      ...trainBatch,
      ...trainBatch,
      "afterTrain",
      "beforeValidate",
      ...validBatch,
      ...validBatch,
      "afterValidate",
      "afterEpoch",
      "afterFit",
    ]);
  });

  test("reach callbacks by their order, and only in the parts they want", async () => {
    const calls: string[] = [];
    const named = (name: string, more: Partial<Callback>): Callback => ({
      afterBatch: () => {
        calls.push(name);
      },
      ...more,
    });
    const callbacks = [
      named("late", { order: 70 }),
      named("first of two", {}),
      named("second of two", {}),
      named("early", { order: -5 }),
      named("training only", { runValid: false, order: 80 }),
      named("validation only", { runTrain: false, order: 80 }),
    ];
    await makeLearner({ train: new Points(4, 4), valid: new Points(4, 4), callbacks }).fit(1);
    const all = ["early", "first of two", "second of two", "late"];
    expect(calls).toEqual([...all, "training only", ...all, "validation only"]);
  });

  test("outside the batches may wait, inside they must not", async () => {
    const order: string[] = [];
    const waiting: Callback = {
      afterEpoch: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        order.push("waited");
      },
      afterFit: () => {
        order.push("afterFit");
      },
    };
    await makeLearner({ callbacks: [waiting] }).fit(1);
    expect(order).toEqual(["waited", "afterFit"]);
    const wrong = { afterBatch: () => Promise.resolve() } as unknown as Callback;
    await expect(
      makeLearner({ callbacks: [wrong] }).fit(1),
    ).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: afterBatch: the callback is asynchronous, but the events of a batch do not wait: it returned a promise. Record work for the device there, and await its result in afterEpoch]`,
    );
  });
});

describe("a callback can cancel", () => {
  const cases: [string, EpochEvent | BatchEvent, new () => Error, string[], string[]][] = [
    [
      "the backward pass",
      "beforeBackward",
      CancelBackwardException,
      ["afterCancelBackward", "afterBackward", "beforeStep"],
      [],
    ],
    [
      "the step",
      "beforeStep",
      CancelStepException,
      ["afterCancelStep", "afterStep", "afterBatch"],
      [],
    ],
    [
      "the batch",
      "beforeBatch",
      CancelBatchException,
      ["afterCancelBatch", "afterBatch"],
      ["afterPred"],
    ],
    [
      "the training part",
      "afterBatch",
      CancelTrainException,
      ["afterCancelTrain", "afterTrain", "beforeValidate"],
      [],
    ],
    [
      "the validation",
      "beforeValidate",
      CancelValidException,
      ["afterCancelValidate", "afterValidate", "afterEpoch"],
      [],
    ],
    [
      "the epoch",
      "beforeTrain",
      CancelEpochException,
      ["afterCancelEpoch", "afterEpoch", "beforeEpoch"],
      ["beforeBatch"],
    ],
    [
      "the fit",
      "beforeTrain",
      CancelFitException,
      ["afterCancelFit", "afterFit"],
      ["beforeBatch", "afterEpoch"],
    ],
  ];
  test.each(cases)("%s", async (_, at, Exception, expected, skipped) => {
    const { callback, events } = eventLog({
      runValid: false,
      [at]: () => {
        throw new Exception();
      },
    });
    await makeLearner({ callbacks: [callback] }).fit(2);
    const cancelled = events.indexOf(expected[0] ?? "");
    expect(events.slice(cancelled, cancelled + expected.length)).toEqual(expected);
    for (const event of skipped) expect(events).not.toContain(event);
  });

  test("a cancelled step leaves the weights as they are, and no gradient behind", async () => {
    const model = new LinearModel();
    const callbacks: Callback[] = [
      {
        beforeStep: () => {
          throw new CancelStepException();
        },
      },
    ];
    await makeLearner({ model, callbacks }).fit(1);
    expect([...(await model.weight.data())]).toEqual(new Array(classes * features).fill(0));
    expect(model.weight.grad).toBeUndefined();
  });
});

describe("fit", () => {
  test("learns, and keeps the history", async () => {
    const train = new Points(480, 16);
    const learner = makeLearner({ train, optimizer: new SGD(new LinearModel().parameters()) });
    const model = new LinearModel();
    const trained = makeLearner({
      train,
      model,
      optimizer: new SGD(model.parameters(), { momentum: 0.9 }),
    });
    expect(learner.recorder.rows).toEqual([]);
    await trained.fit(3, 0.1);
    const { rows, losses, smoothLosses, learningRates, momentums, metricNames } = trained.recorder;
    expect(metricNames).toEqual(["accuracy"]);
    expect(losses).toHaveLength(90);
    expect(losses[0]).toBeCloseTo(Math.log(3), 6);
    expect(learningRates).toEqual(new Array(90).fill(0.1));
    expect(momentums).toEqual(new Array(90).fill(0.9));
    let mean = 0;
    losses.forEach((loss, i) => {
      mean = 0.98 * mean + 0.02 * loss;
      expect(smoothLosses[i]).toBeCloseTo(mean / (1 - 0.98 ** (i + 1)), 10);
    });
    expect(rows.map(({ epoch }) => epoch)).toEqual([0, 1, 2]);
    expect(rows.map(({ trainLoss }) => trainLoss)).toEqual(
      [29, 59, 89].map((i) => smoothLosses[i]),
    );
    expect(rows[2]?.validLoss).toBeLessThan(0.8);
    expect(rows[2]?.metrics[0]).toBeGreaterThan(0.8);
    expect(train.epochsAsked).toEqual([0, 1, 2]);
    await trained.fit(1, 0.1);
    expect(train.epochsAsked).toEqual([0, 1, 2, 3]);
    expect(trained.recorder.rows).toHaveLength(1);
  });

  test("valid_loss weights batches by their sizes, in evaluation mode", async () => {
    const model = new LinearModel();
    const modes: string[] = [];
    const callbacks: Callback[] = [
      {
        afterPred: () => {
          modes.push(model.mode);
        },
      },
    ];
    const valid = new Points(20, 16);
    const learner = makeLearner({ model, valid, callbacks, train: new Points(16, 16) });
    await learner.fit(1, 0.1);
    expect(modes).toEqual(["train", "eval", "eval"]);
    const { predictions, targets, shape } = await learner.getPreds(valid, (logits) =>
      softmax(logits, -1),
    );
    expect(shape).toEqual([classes]);
    expect(predictions).toHaveLength(20 * classes);
    const losses = Array.from(
      targets,
      (label, i) => -Math.log(predictions[i * classes + label] ?? NaN),
    );
    const expected = losses.reduce((total, loss) => total + loss, 0) / 20;
    expect(learner.recorder.rows[0]?.validLoss).toBeCloseTo(expected, 5);
    const again = await learner.validate();
    expect(again.loss).toBe(learner.recorder.rows[0]?.validLoss);
    expect(again.metrics).toEqual(learner.recorder.rows[0]?.metrics);
  });

  test("without a validation set only trains", async () => {
    const { callback, events } = eventLog();
    const { train, model, lossFunction: loss } = makeLearner();
    const progress = linesOnly((line) => printed.push(line));
    await new Learner({ train, model, loss, progress, callbacks: [callback] }).fit(1);
    expect(events).not.toContain("beforeValidate");
    expect(printed[0]).toBe("epoch     train_loss  time    ");
  });

  test("the same seed gives the same losses and weights, bit for bit", async () => {
    const run = async () => {
      const model = new LinearModel();
      const learner = makeLearner({ model, train: new Points(160, 16) });
      await learner.fitOneCycle(2, 0.05);
      return [learner.recorder.losses, [...(await model.weight.data())]];
    };
    expect(await run()).toEqual(await run());
  });

  test("FindNonFinite names the first op and the step that made a NaN or an infinity", async () => {
    let brokenStep = -1;
    const learner: Learner = makeLearner({
      callbacks: [new FindNonFinite()],
      loss: (predictions, y) =>
        learner.training && learner.step === brokenStep
          ? sum(log(mul(predictions, 0)))
          : crossEntropy(predictions, y),
    });
    await learner.fit(1, 0.01);
    brokenStep = 2;
    await expect(learner.fit(1, 0.01)).rejects.toThrow(
      "guardNonFinite: a NaN or an infinity first appeared in step 2: the result of log, [16, 3]",
    );
  });

  test("memory stays flat over 1000 steps", async () => {
    const memory: number[] = [];
    const callbacks: Callback[] = [
      {
        afterBatch: ({ training }) => {
          if (training) memory.push(device().memory().liveBytes);
        },
      },
    ];
    await makeLearner({ train: new Points(16 * 250, 16), callbacks }).fit(4);
    expect(memory).toHaveLength(1000);
    // The metric makes its accumulator in the first validation and keeps it. What earlier tests left may go at any time.
    expect(Math.max(...memory.slice(250))).toBe(memory[250]);
  });

  test("runs at most two steps ahead of the device", async () => {
    let recorded = 0;
    let ahead = 0;
    const callbacks: Callback[] = [
      {
        runValid: false,
        afterBatch: () => {
          recorded++;
        },
        lossRead: (_, { step }) => {
          ahead = Math.max(ahead, recorded - step - 1);
        },
      },
    ];
    await makeLearner({ train: new Points(320, 16), callbacks }).fit(1);
    expect(recorded).toBe(20);
    expect(ahead).toBe(2);
  });
});

describe("fitOneCycle", () => {
  test("sets learning rate and momentum of every batch as fastai does", async () => {
    const model = new LinearModel();
    const optimizer = new SGD([{ parameters: [model.weight] }, { parameters: [model.bias] }], {
      momentum: 0.9,
    });
    const first: number[] = [];
    const callbacks: Callback[] = [
      {
        runValid: false,
        afterBatch: () => {
          first.push(optimizer.groups[0]?.lr ?? NaN);
        },
      },
    ];
    const learner = makeLearner({ model, optimizer, callbacks, train: new Points(80, 16) });
    await learner.fitOneCycle(2, [1e-4, 1e-3]);
    const expected = [
      4.0e-5, 3.716718e-4, 9.083282e-4, 9.890739e-4, 9.045095e-4, 7.500025e-4, 5.522687e-4,
      3.45498e-4, 1.65443e-4, 4.323684e-5,
    ];
    expected.forEach((value, i) => {
      expect((learner.recorder.learningRates[i] ?? NaN) / value).toBeCloseTo(1, 6);
      expect((first[i] ?? NaN) / value).toBeCloseTo(0.1, 6);
    });
    expect(learner.recorder.momentums[0]).toBeCloseTo(0.95, 12);
    expect(Math.min(...learner.recorder.momentums)).toBeLessThan(0.86);
  });

  test("ParamScheduler sets the decay too", async () => {
    const scheduler = new ParamScheduler({ weightDecay: (position) => position });
    const learner = makeLearner({ train: new Points(32, 16), callbacks: [scheduler] });
    await learner.fit(1);
    expect(learner.optimizer.groups[0]?.weightDecay).toBe(0.5);
  });
});

describe("GradientClip", () => {
  test("limits what a step can change", async () => {
    const model = new LinearModel();
    const optimizer = new SGD(model.parameters());
    const callbacks = [new GradientClip(0.01)];
    await makeLearner({ model, optimizer, callbacks, train: new Points(16, 16) }).fit(1, 1);
    const moved = [...(await model.weight.data()), ...(await model.bias.data())];
    expect(Math.hypot(...moved)).toBeCloseTo(0.01, 6);
  });
});

describe("the table", () => {
  test("has fastai's columns and numbers", async () => {
    vi.spyOn(performance, "now").mockReturnValue(0);
    const learner = makeLearner({ metrics: [accuracy(), errorRate()] });
    await learner.fit(2, 0.1);
    vi.restoreAllMocks();
    const [head, first, second, ...more] = printed;
    expect(more).toEqual([]);
    expect(head).toBe("epoch     train_loss  valid_loss  accuracy  error_rate  time    ");
    expect(first).toMatch(/^0 {9}\d\.\d{6} {4}\d\.\d{6} {4}\d\.\d{6} {2}\d\.\d{6} {4}00:00 {5}$/);
    expect(second).toMatch(/^1 {9}\d/);
  });

  test.each([
    [0.9, "00:00"],
    [72, "01:12"],
    [3599.9, "59:59"],
    [3600, "1:00:00"],
    [36_061, "10:01:01"],
  ])("%d s is %s", (seconds, text) => {
    expect(formatTime(seconds)).toBe(text);
  });
});

test("resetOpt begins without the optimizer's moments and step counts", async () => {
  const learner = makeLearner();
  const stepsAfter = async (options: { resetOpt?: boolean }) => {
    await learner.fit(1, 1e-3, options);
    const { groups } = await learner.optimizer.stateDict();
    return groups[0]?.parameters[0]?.step;
  };
  const { length } = learner.train;
  expect(await stepsAfter({})).toBe(length);
  expect(await stepsAfter({})).toBe(2 * length);
  expect(await stepsAfter({ resetOpt: true })).toBe(length);
});

describe("progress", () => {
  test("counts every batch, and stops also when an error ends the fit", async () => {
    const states: ProgressState[] = [];
    const calls: string[] = [];
    const progress: Progress = {
      start: () => calls.push("start"),
      update: (state) => states.push(state),
      write: () => undefined,
      stop: () => calls.push("stop"),
    };
    await makeLearner({ progress }).fit(2);
    // Compiled kernels are told of in between.
    const counts = [...new Set(states.map(({ done }) => done))].filter((done) => done > 0);
    expect(counts).toEqual(Array.from({ length: 12 }, (_, i) => i + 1));
    expect(states.at(-1)?.secondsPerBatch).toBeGreaterThan(0);
    expect(states.at(-1)).toMatchObject({
      done: 12,
      total: 12,
      epoch: 1,
      epochs: 2,
      training: false,
    });
    expect(states.at(-1)?.secondsLeft).toBe(0);
    expect(states[0]?.loss).toBeUndefined();
    expect(states.at(-1)?.loss).toBeGreaterThan(0);
    const callbacks: Callback[] = [
      {
        afterStep: () => {
          throw new Error("stop here");
        },
      },
    ];
    await expect(makeLearner({ progress, callbacks }).fit(1)).rejects.toThrow("stop here");
    expect(calls).toEqual(["start", "stop", "start", "stop"]);
  });
});

describe("a fit that cannot go on", () => {
  test("a loss that is no number ends it, and says so", async () => {
    const { callback, events } = eventLog();
    const loss = (predictions: Tensor, targets: Tensor): Tensor =>
      mul(crossEntropy(predictions, targets), NaN);
    const learner = makeLearner({ loss, callbacks: [callback], train: new Points(320, 16) });
    await learner.fit(2);
    expect(learner.stopReason).toMatchInlineSnapshot(
      `"Training stopped: the loss became NaN in step 0, epoch 0. Lower the learning rate, clip gradients, or find the op with the callback FindNonFinite."`,
    );
    expect(printed.at(-1)).toBe(learner.stopReason);
    expect(events.filter((event) => event === "afterStep").length).toBeLessThanOrEqual(3);
    expect(events.slice(-2)).toEqual(["afterCancelFit", "afterFit"]);
    expect(learner.recorder.losses[0]).toBeNaN();
  });

  test("a callback can stop it; what was measured stays", async () => {
    const callbacks: Callback[] = [
      {
        runValid: false,
        afterBatch: (learner) => {
          if (learner.step === 4) learner.stop("enough");
        },
      },
    ];
    const learner = makeLearner({ callbacks });
    await learner.fit(3);
    expect(learner.stopReason).toBe("enough");
    expect(learner.recorder.rows).toHaveLength(1);
    expect(learner.recorder.losses).toHaveLength(5);
    await learner.fit(1);
    expect(learner.stopReason).toBeUndefined();
  });

  test("a lost device is reported as such", async () => {
    const own: Device = await openNodeDevice();
    const before = device();
    setDefaultDevice(own);
    try {
      const callbacks: Callback[] = [
        {
          afterEpoch: async () => {
            own.gpu.destroy();
            await own.gpu.lost;
          },
        },
      ];
      const learner = makeLearner({ callbacks });
      await expect(learner.fit(2)).rejects.toThrow(DeviceLostError);
      expect(learner.recorder.rows).toHaveLength(1);
    } finally {
      setDefaultDevice(before);
    }
  });
});

describe("wrong use is refused:", () => {
  test("epochs and learning rates", async () => {
    const learner = makeLearner();
    const errors = [
      learner.fit(0),
      learner.fit(1.5),
      learner.fit(1, NaN),
      learner.fit(1, -1),
      learner.fit(1, [0.1, 0.1]),
      learner.fitOneCycle(1, Infinity),
      learner.fitOneCycle(1, 0.1, { pctStart: 2 }),
    ].map((fit) => fit.catch((error: unknown) => String(error)));
    expect(await Promise.all(errors)).toMatchInlineSnapshot(`
      [
        "ArgumentError: fit: the epochs are no whole number >= 1: 0. Use 1 or more",
        "ArgumentError: fit: the epochs are no whole number >= 1: 1.5. Use 1 or more",
        "ArgumentError: fit: a learning rate is not a finite number >= 0: NaN. Use one such as 1e-3",
        "ArgumentError: fit: a learning rate is not a finite number >= 0: -1. Use one such as 1e-3",
        "ArgumentError: fit: 2 learning rates for 1 parameter groups: [0.1, 0.1]. Pass one number, slice(first, last), or one for each group",
        "ArgumentError: fitOneCycle: a learning rate is not a finite number >= 0: Infinity. Use one such as 1e-3",
        "ArgumentError: fitOneCycle: the cycle has no shape: pctStart 2, div 25, divFinal 100000. pctStart is from 0 to 1, the divisors are above 0",
      ]
    `);
  });

  test("two fits at once, two optimizers, nothing to validate with", async () => {
    const learner = makeLearner();
    const first = learner.fit(1);
    await expect(learner.fit(1)).rejects.toThrow(ArgumentError);
    await first;
    const { train, model, lossFunction: loss, optimizer } = learner;
    const options = { train, model, loss };
    expect(
      () => new Learner({ ...options, optimizer, optFunc: (p) => new SGD(p) }),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: Learner: both an optimizer and an optFunc were given. Pass one of them]`,
    );
    await expect(new Learner(options).validate()).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: validate: there is no validation set: undefined. Pass a loader]`,
    );
  });
});
