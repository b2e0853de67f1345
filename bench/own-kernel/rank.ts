/** @file `--kernel FILE --as TASK`: the kernel is compiled, compared with the reference, and timed among ours, in turns. */
import { openScope, type Device } from "../../engine/index.ts";
import { withVariant } from "../../engine/ops/variants.ts";
import { Tensor } from "../../engine/tensor.ts";
import type { Prepared } from "../case.ts";
import { UsageError } from "../options.ts";
import { makeRow, type Limits, type Row } from "../row.ts";
import { measure } from "../../engine/timing/measure.ts";
import { verify, WrongResultError } from "../verify.ts";
import { loadOwnKernel, type OwnKernel } from "./own-kernel.ts";
import { tasks, type Task, type TaskCase } from "./tasks.ts";

export interface Ranking {
  readonly rows: readonly Row[];
  /** Shapes at which the kernel is wrong, with the first wrong element. */
  readonly wrong: readonly string[];
}

/** A kernel with the task that it claims to do. */
export interface Contender {
  readonly file: string;
  readonly task: Task;
  readonly kernel: OwnKernel;
}

/**
 * Loads the kernel, without compiling it.
 * @throws UsageError for a task that does not exist; KernelFileError and ShaderError, with file, line and column, for a kernel that
 * cannot be run.
 */
export function openContender(file: string, as: string): Contender {
  const task = tasks.find(({ name }) => name === as);
  if (task === undefined) {
    const known = tasks.map(({ name }) => name).join(", ");
    throw new UsageError(`--as: there is no task ${as}. Known: ${known}`);
  }
  return { file, task, kernel: loadOwnKernel(file, task) };
}

/** @throws ShaderError with file, line and column when the kernel does not compile. */
export async function rankOwnKernel(
  device: Device,
  limits: Limits,
  { file, task, kernel }: Contender,
  budgetMs: number,
): Promise<Ranking> {
  const rows: Row[] = [];
  const wrong: string[] = [];
  for (const taskCase of task.cases) {
    using _scope = openScope();
    const ours = taskCase.benchCase.prepare(device);
    const own = ownRun(device, task, taskCase, ours, kernel);
    const error = await verifyOwn(device, `${file} at ${taskCase.benchCase.shape}`, own);
    if (typeof error === "string") wrong.push(error);
    const entry = typeof error === "string" ? undefined : { file, own, error };
    if (taskCase.awkward) continue;
    rows.push(...(await timeAll(device, limits, taskCase, ours, entry, budgetMs)));
  }
  return { rows, wrong };
}

/** The kernel on the inputs of the case, with an output of its own. */
function ownRun(
  device: Device,
  task: Task,
  taskCase: TaskCase,
  ours: Prepared,
  kernel: OwnKernel,
): Prepared {
  const { tensors, params } = taskCase.operands(device, ours);
  const output = task.tensors.at(-1) ?? "out";
  const like = tensors[output];
  if (like === undefined) throw new Error(`benchmark: ${task.name} has no ${output}`);
  return {
    check: ours.check,
    run: () => {
      const out = Tensor.allocate("bench", device, like.shape, like.dtype);
      kernel({ ...tensors, [output]: out }, params);
      return out;
    },
  };
}

/** The largest error; the message when the result is wrong. Errors of the device pass on. */
async function verifyOwn(device: Device, what: string, own: Prepared): Promise<number | string> {
  try {
    return await verify(device, what, own);
  } catch (error) {
    if (error instanceof WrongResultError) return error.message;
    throw error;
  }
}

interface Entry {
  readonly file: string;
  readonly own: Prepared;
  readonly error: number;
}

/** All of our variants, and the kernel where it is right; fastest first. */
async function timeAll(
  device: Device,
  limits: Limits,
  { benchCase }: TaskCase,
  ours: Prepared,
  entry: Entry | undefined,
  budgetMs: number,
): Promise<readonly Row[]> {
  const { suite, op, shape, work, family } = benchCase;
  const variants = benchCase.variants?.(device) ?? ["wgrad"];
  const bodies: Record<string, () => void> = {};
  for (const name of variants) {
    bodies[name] = () => {
      if (family === undefined) ours.run();
      else withVariant(family, name, ours.run);
    };
  }
  if (entry !== undefined) bodies[entry.file] = () => void entry.own.run();
  const timings = await measure(device, bodies, { budgetMs });
  return Object.entries(timings)
    .map(([variant, timing]) => {
      const isOwn = variant === entry?.file;
      const error = isOwn ? entry.error : undefined;
      const chosen = variant === variants[0];
      return makeRow({ suite, op, shape, variant, chosen, error }, work, timing, limits);
    })
    .sort((a, b) => a.gpuMs - b.gpuMs);
}
