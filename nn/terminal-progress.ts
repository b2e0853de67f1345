/** @file Progress in a terminal: a bar; a plain line now and then where the output is no terminal. Node only. */
import type * as CliProgress from "cli-progress";
import { formatTime } from "./learner/table.ts";
import type { Progress, ProgressState } from "./learner/progress.ts";

/** Where it is shown: `process.stdout` and what is like it. */
export type TerminalOutput = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** A plain line comes at most this often. */
const secondsBetweenLines = 10;

/**
 * Shows how far a fit is, the smoothed loss, the time that a training batch takes, the time left, and what the first batches wait for: the
 * compiling of kernels. A bar where the output is a terminal and the package cli-progress is installed; otherwise a line every ten seconds.
 *
 * @param output default: `process.stdout`.
 */
export async function terminalProgress(output: TerminalOutput = process.stdout): Promise<Progress> {
  if (output.isTTY !== true) return lineProgress(output);
  const package_ = await import("cli-progress").catch(() => undefined);
  return package_ === undefined ? lineProgress(output) : barProgress(output, package_);
}

/** `epoch 1/3 train [=======-------] 43 % | loss 0.1234 | 5.02 s/batch | 00:45 left` */
function barProgress(output: TerminalOutput, { MultiBar, Presets }: typeof CliProgress): Progress {
  const options = {
    ...{ format: "{where} [{bar}] {percentage} % | {what}", barsize: 30, stream: output },
    ...{ clearOnComplete: true, hideCursor: true, gracefulExit: false },
  };
  let bars: CliProgress.MultiBar | undefined;
  let bar: CliProgress.SingleBar | undefined;
  return {
    start: () => {
      bars = new MultiBar(options, Presets.rect);
      bar = bars.create(1, 0, { where: "preparing", what: "" });
    },
    update: (state) => {
      bar?.setTotal(state.total);
      bar?.update(state.done, { where: whereOf(state), what: whatOf(state) });
    },
    write: (line) => {
      if (bars === undefined) output.write(`${line}\n`);
      bars?.log(`${line}\n`);
      bars?.update();
    },
    stop: () => {
      bars?.stop();
      bars = undefined;
    },
  };
}

/** `epoch 1/3 train, 43 %: loss 0.1234 | 5.02 s/batch | 00:45 left` */
function lineProgress(output: TerminalOutput): Progress {
  let last = performance.now();
  return {
    start: () => undefined,
    update: (state) => {
      const now = performance.now();
      if (now - last < 1000 * secondsBetweenLines) return;
      last = now;
      const percent = Math.floor((100 * state.done) / state.total);
      output.write(`${whereOf(state)}, ${percent} %: ${whatOf(state)}\n`);
    },
    write: (line) => {
      output.write(`${line}\n`);
    },
    stop: () => undefined,
  };
}

function whereOf({ epoch, epochs, training }: ProgressState): string {
  return `epoch ${epoch + 1}/${epochs} ${training ? "train" : "valid"}`;
}

function whatOf(state: ProgressState): string {
  const { loss, compiling, tuning, secondsPerBatch, secondsLeft } = state;
  const parts: string[] = [];
  if (loss !== undefined) parts.push(`loss ${loss.toFixed(4)}`);
  if (compiling !== undefined) {
    parts.push(`compiling kernels: ${compiling.finished} of ${compiling.requested} done`);
  }
  if (tuning !== undefined) {
    parts.push(`measuring kernels: ${tuning.done} of ${tuning.total} done`);
  }
  if (secondsPerBatch !== undefined) parts.push(`${formatSeconds(secondsPerBatch)}/batch`);
  if (secondsLeft !== undefined) parts.push(`${formatTime(secondsLeft)} left`);
  return parts.join(" | ");
}

/** `5.02 s` or `84 ms` */
function formatSeconds(seconds: number): string {
  return seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(2)} s`;
}
