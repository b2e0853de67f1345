/** @file The learner's option `tune`: what is measured and when, what it leaves alone, and what it does when something goes wrong. */
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  crossEntropy,
  DeviceError,
  DeviceLostError,
  keep,
  manualSeed,
  setDefaultDevice,
  tensor,
  tuningTable,
  TuningTable,
  useTuningTable,
  type Device,
} from "../../engine/index.ts";
import { defaultTuningFile, openNodeDevice, readTuningFile } from "../../engine/node.ts";
import {
  CancelBatchException,
  CancelFitException,
  Dropout,
  Learner,
  Linear,
  Sequential,
  SGD,
  type Batch,
  type Callback,
  type LearnerOptions,
  type Loader,
  type ProgressState,
} from "../../nn/index.ts";
import { useDevice } from "../device.ts";
import { seededRandom } from "../inputs.ts";
import { expectClose } from "../numeric.ts";

const device = useDevice();

const features = 4;
const classes = 3;

/** Points at random; batches of one size. */
class Points implements Loader {
  readonly batchSize: number;
  readonly length: number;

  constructor(batchSize: number, length: number) {
    this.batchSize = batchSize;
    this.length = length;
  }

  *epoch(index: number): Iterable<Batch> {
    const random = seededRandom(index + 1);
    const numbers = (count: number) => Array.from({ length: count }, random);
    for (const size of numbers(this.length).fill(this.batchSize)) {
      const x = keep(tensor(numbers(size * features), { shape: [size, features] }));
      const labels = numbers(size).map((number) => Math.floor(number * classes));
      const y = keep(tensor(labels, { dtype: "i32" }));
      yield { x, y, size };
      x.release();
      y.release();
    }
  }
}

/** In the order in which the first steps meet them. */
const trainProblems = ["16x3x4 nt", "3x4x16 tn"];
const valid = new Points(8, 2);
const validProblem = "8x3x4 nt";

let printed: string[] = [];
let states: ProgressState[] = [];

/** A seeded model with dropout, so that losses depend on every random number. */
function makeLearner(options: Partial<LearnerOptions> = {}): Learner {
  manualSeed(1);
  const linear = new Linear({ inFeatures: features, outFeatures: classes });
  const model = new Sequential(new Dropout({ p: 0.2 }), linear);
  return new Learner({
    train: new Points(16, 4),
    model,
    loss: crossEntropy,
    optimizer: new SGD(model.parameters()),
    progress: {
      start: () => undefined,
      update: (state) => states.push(state),
      write: (line) => printed.push(line),
      stop: () => undefined,
    },
    tune: true,
    ...options,
  });
}

/** Problems of matrix products that are known on a device. */
function known(of: Device = device()): string[] {
  const [adapter = {}] = Object.values(tuningTable(of).toJSON().adapters);
  return Object.keys(adapter["matmul"] ?? {});
}

/** What was measured, in its order, as the progress told it. */
const measured = (): string[] => states.flatMap(({ tuning }) => tuning?.problem ?? []);

beforeEach(() => {
  printed = [];
  states = [];
  useTuningTable(device(), new TuningTable());
});
afterEach(() => {
  vi.restoreAllMocks();
  useTuningTable(device(), new TuningTable());
});

describe("tune", () => {
  test("measures the first step before the second, the first validation batch before its second, each once", async () => {
    const knownAt: number[] = [];
    const beforeBatch = (): void => {
      knownAt.push(known().length);
    };
    const learner = makeLearner({ valid, callbacks: [{ beforeBatch }] });
    await learner.fit(1, 0.1);
    expect(measured()).toEqual([...trainProblems, validProblem]);
    expect(known()).toEqual(measured());
    expect(knownAt).toEqual([0, 2, 2, 2, 2, 3]);
    const told = states.map(({ tuning }) => tuning && [tuning.done, tuning.total]);
    // Between them batches are reported, and kernels that are compiled, as often as that takes.
    expect(told.filter((state) => state !== undefined)).toEqual([
      [0, 2],
      [1, 2],
      [0, 1],
    ]);
    expect([told[0], told.at(-1)]).toEqual([undefined, undefined]);
    expect(printed.map((line) => line.replace(/\d+\.\d(?= s:)|\d+(?=\.$)/g, "_"))).toEqual([
      "epoch     train_loss  valid_loss  time    ",
      "Tuning: problems to measure: _.",
      "Tuned in _ s: problems measured: 2, with another kernel from now on: _.",
      "Tuning: problems to measure: _.",
      "Tuned in _ s: problems measured: 1, with another kernel from now on: _.",
      expect.stringMatching(/^0 /),
    ]);
    states = [];
    await learner.fitOneCycle(1, 0.1);
    expect(measured()).toEqual([]);
  });

  test("may be asked of one fit, and refused to one", async () => {
    await makeLearner().fit(1, 0.1, { tune: false });
    expect(known()).toEqual([]);
    await makeLearner({ tune: false }).fit(1, 0.1, { tune: true });
    expect(known()).toEqual(trainProblems);
  });

  test("leaves batches and random numbers of a seeded run alone, and no memory behind", async () => {
    const run = async (tune: boolean) => {
      const learner = makeLearner({ valid, tune });
      const live: number[] = [];
      const afterBatch = () => {
        live.push(device().memory().liveBytes);
      };
      await learner.fit(2, 0.1, { callbacks: [{ afterBatch, runValid: false }] });
      return { losses: learner.recorder.losses, rows: learner.recorder.rows, live };
    };
    const plain = await run(false);
    const tuned = await run(true);
    expect(known()).toHaveLength(3);
    expectClose(tuned.losses, plain.losses, 1e-5, "losses");
    const validation = ({ rows }: typeof plain) => rows.map(({ validLoss }) => validLoss ?? NaN);
    expectClose(validation(tuned), validation(plain), 1e-5, "losses of the validation");
    // What earlier tests left may go at any time.
    expect(Math.max(...tuned.live)).toBe(tuned.live[0]);
  });

  test("measures half floats in mixed precision", async ({ skip }) => {
    skip(!device().has("shader-f16"), "the adapter has no shader-f16");
    const learner = makeLearner().toFp16();
    await learner.fit(1, 0.1);
    expect(known()).toEqual(trainProblems.map((problem) => `${problem} f16`));
    expect(learner.recorder.losses.every(Number.isFinite)).toBe(true);
  });

  test("waits for a batch that is not cancelled, and lets a fit be cancelled", async () => {
    const cancel = (at: number, Exception: new () => Error): Callback => ({
      beforeBatch: ({ step }) => {
        if (step === at) throw new Exception();
      },
    });
    const callbacks = [cancel(0, CancelBatchException)];
    await makeLearner({ callbacks }).fit(1, 0.1);
    expect(known()).toEqual(trainProblems);
    useTuningTable(device(), new TuningTable());
    const stopped = makeLearner({ callbacks: [cancel(1, CancelFitException)] });
    await stopped.fit(1, 0.1);
    expect(stopped.recorder.losses).toHaveLength(1);
    expect(known()).toEqual(trainProblems);
  });

  test("goes on with the usual kernels where measuring fails", async () => {
    const problem = new DeviceError("measure", "the candidate failed", "Use another one");
    const learner = makeLearner({
      callbacks: [
        {
          afterBatch: ({ step }) => {
            if (step > 0) return;
            vi.spyOn(device().buffers, "acquire").mockImplementationOnce(() => {
              throw problem;
            });
          },
        },
      ],
    });
    await learner.fit(1, 0.1);
    expect(learner.recorder.losses).toHaveLength(4);
    expect(printed).toContain(`Tuning ended early, the usual kernels run on: ${problem.message}`);
    expect(known()).toEqual([]);
  });
});

describe("with a device of its own, tune", () => {
  let folder = "";
  let own: Device;

  async function open(tuning: string | false): Promise<void> {
    own = await openNodeDevice({ tuning });
    setDefaultDevice(own);
  }

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "wgrad-tuning-"));
  });
  afterEach(async () => {
    setDefaultDevice(device());
    await own.close();
    await rm(folder, { recursive: true });
  });

  test("keeps the winners in the tuning file, for the next program", async () => {
    const file = join(folder, "new", "tuning.json");
    await open(file);
    await makeLearner({ valid }).fit(1, 0.1);
    expect((await readTuningFile(file)).toJSON()).toEqual(tuningTable(own).toJSON());
    expect(await readdir(join(folder, "new"))).toEqual(["tuning.json"]);
    await own.close();
    await open(file);
    states = [];
    await makeLearner({ valid }).fit(1, 0.1);
    expect(measured()).toEqual([]);
    expect(known(own)).toHaveLength(3);
  });

  test("works in memory where the environment turns the file off", async () => {
    vi.stubEnv("WGRAD_TUNING", "off");
    await open(defaultTuningFile());
    vi.unstubAllEnvs();
    await makeLearner().fit(1, 0.1);
    expect(known(own)).toEqual(trainProblems);
    expect(tuningTable(own).save).toBeUndefined();
  });

  test("warns about a file that cannot be written, and trains on", async () => {
    const warn = vi.spyOn(console, "warn").mockReturnValue();
    await open(join(folder, "tuning.json"));
    await rm(folder, { recursive: true });
    // A file where the folder should be.
    await writeFile(folder, "");
    const learner = makeLearner();
    await learner.fit(1, 0.1);
    expect(learner.recorder.losses).toHaveLength(4);
    expect(known(own)).toEqual(trainProblems);
    expect(warn).toHaveBeenCalledOnce();
    expect(warn.mock.calls[0]?.[0]).toContain("the winners are not kept for later programs");
  });

  test("reports a device that is lost meanwhile as such", async () => {
    await open(false);
    const beforeBatch = ({ step }: Learner): void => {
      if (step === 0) own.gpu.destroy();
    };
    const learner = makeLearner({ callbacks: [{ beforeBatch }] });
    await expect(learner.fit(1, 0.1)).rejects.toThrow(DeviceLostError);
    expect(known(own)).toEqual([]);
  });
});
