/** @file The folder of a run. Weights and history are written after every epoch, so that nothing is lost when a run dies. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { encodeCsv } from "../../data/index.ts";
import { writeSafetensors } from "../../data/node.ts";
import {
  exportStateDict,
  type Callback,
  type CsvLogger,
  type Learner,
  type Module,
} from "../../nn/index.ts";

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

/** Writes `history.csv`, the table, and `steps.csv`, the loss of every training step, counted from 0. */
export async function saveHistory(
  folder: string,
  { recorder }: Learner,
  table: CsvLogger,
): Promise<void> {
  const steps = recorder.losses.map((loss, step) => [step, loss]);
  await writeFile(join(folder, "history.csv"), table.text);
  await writeFile(join(folder, "steps.csv"), encodeCsv(["step", "loss"], steps));
}

/** Saves all of it after every epoch, when the table has its row. */
export function saveEachEpoch(folder: string, model: Module, table: CsvLogger): Callback {
  return {
    order: table.order + 1,
    afterEpoch: async (learner) => {
      await saveWeights(folder, model);
      await saveHistory(folder, learner, table);
    },
  };
}
