/** @file The folder of a run. Weights and history are written after every epoch, so that nothing is lost when a run dies. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { writeSafetensors } from "../../data/node.ts";
import { exportStateDict, type Callback, type Learner, type Module } from "../../nn/index.ts";
import { epochsCsv, stepsCsv, type TrainingHistory } from "./report/history.ts";

/** Makes `runs/<date and time>/`. Returns its path. */
export async function makeRunFolder(now: Date = new Date()): Promise<string> {
  const [date = "", time = ""] = now.toISOString().split("T");
  const folder = join("runs", `${date}_${time.slice(0, 8).replaceAll(":", "-")}`);
  await mkdir(folder, { recursive: true });
  return folder;
}

/** Writes `model.safetensors`, with PyTorch's names and layout. */
export async function saveWeights(folder: string, model: Module): Promise<void> {
  await writeSafetensors(join(folder, "model.safetensors"), await exportStateDict(model));
}

/** Writes `history.csv` and `steps.csv`. */
export async function saveHistory(folder: string, learner: Learner): Promise<void> {
  const history = historyOf(learner);
  await writeFile(join(folder, "history.csv"), epochsCsv(history));
  await writeFile(join(folder, "steps.csv"), stepsCsv(history));
}

/** Saves both after every epoch. */
export function saveEachEpoch(folder: string, model: Module): Callback {
  return {
    order: 61,
    afterEpoch: async (learner) => {
      await saveWeights(folder, model);
      await saveHistory(folder, learner);
    },
  };
}

/** The recorder's numbers as the report takes them. */
export function historyOf({ recorder }: Learner): TrainingHistory {
  return {
    stepLosses: recorder.losses,
    epochs: recorder.rows.map(({ epoch, trainLoss, validLoss = NaN, metrics, seconds }) => ({
      epoch,
      trainLoss,
      validLoss,
      accuracy: metrics[0] ?? NaN,
      seconds,
    })),
  };
}
