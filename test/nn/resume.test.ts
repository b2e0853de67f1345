/** @file Checkpoints: a run that is killed anywhere and resumed ends bit for bit as one that was not. */
import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { encodeSafetensors } from "../../data/index.ts";
import { manualSeed, reshape } from "../../engine/index.ts";
import {
  CancelFitException,
  Checkpointer,
  CutMix,
  exportStateDict,
  Linear,
  MixUp,
  SaveBest,
  SGD,
  type Batch,
  type Callback,
  type Learner,
  type Loader,
  type StoredCheckpoint,
} from "../../nn/index.ts";
import { decodeCheckpoint, encodeCheckpoint } from "../../vision/index.ts";
import { readCheckpoint } from "../../vision/node.ts";
import { useDevice } from "../device.ts";
import { makeLearner, Points, stateOf } from "./resume-run.ts";

const device = useDevice();

type Fit = (learner: Learner, callbacks: readonly Callback[]) => Promise<void>;
type Make = () => Learner;

/** Throws after a number of training batches of a learner. */
function killAfter(batches: number): Callback {
  let seen = 0;
  return {
    runValid: false,
    afterBatch: () => {
      if (++seen > batches) throw new Error("killed");
    },
  };
}

/** Trains without a break, and then with one: a new learner takes over the last checkpoint. */
async function compare(fit: Fit, kill: number, make: Make = makeLearner, every = {}) {
  manualSeed(7);
  const whole = make();
  await fit(whole, []);
  const expected = await stateOf(whole);

  manualSeed(7);
  const first = make();
  let saved: Uint8Array<ArrayBuffer> | undefined;
  const write = (checkpoint: Parameters<typeof encodeCheckpoint>[0]): void => {
    saved = encodeCheckpoint(checkpoint);
  };
  const keeping = () => new Checkpointer({ write, everyBatches: 1, ...every });
  await expect(fit(first, [keeping(), killAfter(kill)])).rejects.toThrow("killed");
  if (saved === undefined) throw new Error("there is no checkpoint");

  manualSeed(99);
  const second = make().resume(decodeCheckpoint(saved));
  await fit(second, [keeping()]);
  expect(await stateOf(second)).toEqual(expected);
}

const oneCycle: Fit = (learner, callbacks) => learner.fitOneCycle(3, 0.02, { callbacks });

describe("a run that is resumed ends bit for bit as one without a break:", () => {
  // 5 batches an epoch: within the first, at the end of one, within the second and the last.
  test.each([1, 4, 5, 7, 10, 14])("fitOneCycle, killed after %d batches", async (batches) => {
    await compare(oneCycle, batches);
  });

  test.each([1, 5, 6, 9, 14])("fineTune, killed after %d batches", async (batches) => {
    const fineTune: Fit = (learner, callbacks) => learner.fineTune(2, 0.02, { callbacks });
    await compare(fineTune, batches);
  });

  test.each(["fit", "fitFlatCos"] as const)("%s, with checkpoints between epochs", async (name) => {
    const fit: Fit = (learner, callbacks) => learner[name](3, 0.02, { callbacks });
    await compare(fit, 12, makeLearner, { everyBatches: 100 });
  });

  test.each([6, 11])("fineTune that stops early, killed after %d batches", async (batches) => {
    const stopping: Callback = {
      afterEpoch: ({ epoch, phase }) => {
        if (phase === "frozen" && epoch === 1) throw new CancelFitException();
      },
    };
    const fineTune: Fit = (learner, callbacks) =>
      learner.fineTune(2, 0.02, { freezeEpochs: 4, callbacks: [stopping, ...callbacks] });
    await compare(fineTune, batches);
  });

  test("with SGD, and a captured step", async () => {
    const optFunc = (groups: ConstructorParameters<typeof SGD>[0]) =>
      new SGD(groups, { momentum: 0.9 });
    const make = () => makeLearner({ optFunc, replay: true });
    await compare((learner, callbacks) => learner.fitSgdr(2, 1, 0.1, { callbacks }), 8, make);
  });

  test("with an asynchronous loader, and one that can begin anywhere", async () => {
    const starts: number[] = [];
    class Asynchronous implements Loader {
      readonly #points = new Points();
      readonly length = 5;
      readonly batchSize = 8;
      async *epoch(index: number): AsyncIterable<Batch> {
        await Promise.resolve();
        yield* this.#points.epoch(index);
      }
    }
    class Seeking extends Points {
      *epochFrom(index: number, start: number): Iterable<Batch> {
        starts.push(start);
        let i = 0;
        for (const batch of this.epoch(index)) if (i++ >= start) yield batch;
      }
    }
    await compare(oneCycle, 8, () => makeLearner({ train: new Asynchronous() }));
    await compare(oneCycle, 8, () => makeLearner({ train: new Seeking() }));
    expect(starts).toEqual([3]);
  });

  test.each([
    ["MixUp", () => new MixUp({ seed: 3 })],
    ["CutMix", () => new CutMix({ seed: 3 })],
  ])("with %s, killed within an epoch", async (_name, mixer) => {
    const shaped = (order: number, shape: readonly number[]): Callback => ({
      order,
      runValid: false,
      beforeBatch: (learner) => {
        if (learner.x !== undefined) learner.x = reshape(learner.x, [-1, ...shape]);
      },
    });
    const mixing = () => [shaped(-1, [2, 2, 1]), mixer(), shaped(1, [4])];
    await compare(oneCycle, 8, () => makeLearner({ callbacks: mixing() }));
  });

  test("in mixed precision", async (context) => {
    if (!device().has("shader-f16")) context.skip();
    await compare(oneCycle, 8, () => makeLearner().toFp16({ growthInterval: 3 }));
  });
});

describe("a checkpoint", () => {
  const last = async (fit: (callback: Checkpointer) => Promise<void>) => {
    let saved: Uint8Array<ArrayBuffer> | undefined;
    const write = (checkpoint: Awaited<ReturnType<Learner["checkpoint"]>>): void => {
      saved = encodeCheckpoint(checkpoint);
    };
    await fit(new Checkpointer({ write }));
    if (saved === undefined) throw new Error("there is no checkpoint");
    return decodeCheckpoint(saved);
  };

  test("stays with the learner until its fit begins", async () => {
    const best = () => new SaveBest();
    let saved: StoredCheckpoint | undefined;
    const write = (checkpoint: StoredCheckpoint): void => {
      if (checkpoint.progress.place.epoch === 1) saved = checkpoint;
    };
    const whole = makeLearner();
    await whole.fit(3, 0.01, { callbacks: [best(), new Checkpointer({ write })] });
    if (saved === undefined) throw new Error("there is no checkpoint");
    const other = makeLearner().resume(saved);
    await expect(other.fit(3, 0.01)).rejects.toThrow(/state of SaveBest/);
    const refusing: Callback = {
      beforeFit: () => {
        throw new Error("refused");
      },
    };
    await expect(other.fit(3, 0.01, { callbacks: [best(), refusing] })).rejects.toThrow("refused");
    await other.fit(3, 0.01, { callbacks: [best()] });
    expect(other.recorder.rows).toHaveLength(3);
    expect(await stateOf(other)).toEqual(await stateOf(whole));
  });

  test("of a finished fit leaves nothing to do", async () => {
    const learner = makeLearner();
    const saved = await last((callback) => learner.fit(2, 0.1, { callbacks: [callback] }));
    const other = makeLearner().resume(saved);
    await other.fit(2, 0.1);
    expect(await stateOf(other)).toEqual(await stateOf(learner));
    expect(other.recorder.rows).toHaveLength(2);
    expect(other.epochsSeen).toBe(2);
  });

  test("between fits holds the state alone, frozen groups included", async () => {
    const learner = makeLearner();
    await learner.freeze().fit(1, 0.1);
    const checkpoint = await learner.checkpoint();
    expect(checkpoint.progress.fit).toBeNull();
    const other = makeLearner().resume(checkpoint);
    const flags = (of: Learner) => of.model.parameters().map(({ requiresGrad }) => requiresGrad);
    expect(flags(other)).toEqual(flags(learner));
    await other.fit(1, 0.2);
    expect(other.recorder.rows).toHaveLength(1);
  });

  test("goes with its fit, model and loader alone", async () => {
    const learner = makeLearner();
    const saved = await last((callback) => learner.fitOneCycle(2, 0.1, { callbacks: [callback] }));
    const resumed = makeLearner().resume(saved);
    await expect(resumed.fitOneCycle(3, 0.1)).rejects.toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: fitOneCycle: the checkpoint was made by another fit: {"name":"fitOneCycle","args":{"epochs":2,"rates":[0.1,0.1],"div":25,"divFinal":100000,"pctStart":0.25,"moms":[0.95,0.85,0.95],"weightDecay":null}}, this is {"name":"fitOneCycle","args":{"epochs":3,"rates":[0.1,0.1],"div":25,"divFinal":100000,"pctStart":0.25,"moms":[0.95,0.85,0.95],"weightDecay":null}}. Call the same fit with the same arguments after learner.resume]`,
    );
    await expect(resumed.fineTune(2, 0.1)).rejects.toThrow(/made by another fit/);
    // It would forget the fit that is to be resumed.
    await expect(resumed.checkpoint()).rejects.toThrow(/checkpoint: a fit is to be resumed/);
    await resumed.fitOneCycle(2, 0.1);
    expect(() =>
      makeLearner({ train: new Points(4) }).resume(saved),
    ).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: resume: the checkpoint has 5 batches in an epoch, the learner 4. Make the learner as it was]`,
    );
    class Others extends Points {
      readonly datasetSize: number = 37;
      readonly fingerprint: string = "37 samples, seed 1";
    }
    expect(() => makeLearner({ train: new Others() }).resume(saved)).toThrow(
      "the checkpoint has null samples to train on, the learner 37",
    );
    const own = await makeLearner({ train: new Others() }).checkpoint();
    const split = Object.assign(new Others(), { fingerprint: "37 samples, seed 2" });
    expect(() => makeLearner({ train: split }).resume(own)).toThrowErrorMatchingInlineSnapshot(
      `[ArgumentError: resume: the training data are others: then 37 samples, seed 1; now 37 samples, seed 2. Make the loader as it was, with the same samples, split and seed]`,
    );
    makeLearner({ train: new Others() }).resume(own);
    expect(() => makeLearner({ optFunc: (groups) => new SGD(groups) }).resume(saved)).toThrow(
      /of another optimizer: Adam/,
    );
    const callbacks = { ...saved.progress.callbacks, Lost: {} };
    const lost = makeLearner().resume({ ...saved, progress: { ...saved.progress, callbacks } });
    await expect(lost.fitOneCycle(2, 0.1)).rejects.toThrow(/state of Lost/);
    expect(() => new Checkpointer({ write: () => undefined, everyBatches: 0 })).toThrow(
      /no whole number/,
    );
  });
});

test("weights alone are no checkpoint, as bytes and as a file", async () => {
  const weights = encodeSafetensors(
    await exportStateDict(new Linear({ inFeatures: 2, outFeatures: 1 })),
  );
  expect(() => decodeCheckpoint(weights)).toThrowErrorMatchingInlineSnapshot(
    `[ArgumentError: decodeCheckpoint: there are 2 tensors, but no progress of a training run. Pass what was written by a Checkpointer; weights alone are read by readSafetensors]`,
  );
  const folder = await mkdtemp(join(tmpdir(), "wgrad-weights-"));
  try {
    const file = join(folder, "weights.safetensors");
    await writeFile(file, weights);
    await expect(readCheckpoint(file)).rejects.toThrow(
      `readCheckpoint ${file}: there are 2 tensors`,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe("a process that is killed", () => {
  /** Kills it at a random moment, unless it ends before. */
  function run(file: string, killAfterMs?: number): Promise<number | null> {
    const script = join(import.meta.dirname, "resume-run.ts");
    const root = join(import.meta.dirname, "../..");
    const loader = join(root, "tools/register.mjs");
    const child = spawn(process.execPath, ["--import", loader, script, file, "20"], {
      cwd: root,
      stdio: "ignore",
    });
    return new Promise((resolve, reject) => {
      child.on("error", reject);
      child.on("close", resolve);
      if (killAfterMs === undefined) return;
      const waitForFile = setInterval(() => {
        if (!existsSync(file)) return;
        clearInterval(waitForFile);
        setTimeout(() => child.kill("SIGKILL"), killAfterMs);
      }, 5);
      child.on("close", () => {
        clearInterval(waitForFile);
      });
    });
  }

  test("while it writes checkpoints goes on from its file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "wgrad-resume-"));
    try {
      const read = async (file: string) =>
        JSON.parse(await readFile(`${file}.json`, "utf8")) as unknown;
      const [whole, broken] = [join(folder, "whole"), join(folder, "broken")];
      expect(await run(whole)).toBe(0);
      const code = await run(broken, Math.floor(Math.random() * 150));
      expect(code).toBeNull();
      expect(existsSync(`${broken}.json`)).toBe(false);
      expect(await run(broken)).toBe(0);
      expect(await read(broken)).toEqual(await read(whole));
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
