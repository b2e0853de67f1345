/** @file Progress in a terminal: a bar with loss and time left; a plain line now and then where the output is no terminal. */
import { MultiBar, Presets } from "cli-progress";
import type { Device } from "../../engine/index.ts";
import { formatTime, type Progress, type ProgressState } from "../../nn/index.ts";

/** A plain line comes at most this often. */
const secondsBetweenLines = 10;

/** Shows how far a fit is, and how far the compiling of kernels, which the first batches wait for. */
export function terminalProgress(device: Device, output: NodeJS.WriteStream): Progress {
  return output.isTTY ? barProgress(device, output) : lineProgress(device, output);
}

/** `epoch 1/3 train [=======-------] 43 % | loss 0.1234 | 00:45 left` */
function barProgress(device: Device, output: NodeJS.WriteStream): Progress {
  const bars = new MultiBar(
    {
      format: "{where} [{bar}] {percentage} % | {what}",
      barsize: 30,
      stream: output,
      clearOnComplete: true,
      hideCursor: true,
      gracefulExit: false,
    },
    Presets.rect,
  );
  const bar = bars.create(1, 0, { where: "preparing", what: "" });
  let state: ProgressState | undefined;
  const show = (): void => {
    if (state !== undefined) bar.setTotal(state.total);
    bar.update(state?.done ?? 0, { where: whereOf(state), what: whatOf(state, device) });
  };
  const stopListening = device.onCompile(show);
  return {
    start: show,
    update: (next) => {
      state = next;
      show();
    },
    write: (line) => {
      bars.log(`${line}\n`);
      bars.update();
    },
    stop: () => {
      stopListening();
      bars.stop();
    },
  };
}

/** `epoch 1/3 train, 43 %: loss 0.1234 | 00:45 left` */
function lineProgress(device: Device, output: NodeJS.WriteStream): Progress {
  let state: ProgressState | undefined;
  let last = performance.now();
  const show = (): void => {
    const now = performance.now();
    if (now - last < 1000 * secondsBetweenLines) return;
    last = now;
    const percent = state === undefined ? 0 : Math.floor((100 * state.done) / state.total);
    output.write(`${whereOf(state)}, ${percent} %: ${whatOf(state, device)}\n`);
  };
  const stopListening = device.onCompile(show);
  return {
    start: () => undefined,
    update: (next) => {
      state = next;
      show();
    },
    write: (line) => {
      output.write(`${line}\n`);
    },
    stop: stopListening,
  };
}

function whereOf(state: ProgressState | undefined): string {
  if (state === undefined) return "preparing";
  const { epoch, epochs, training } = state;
  return `epoch ${epoch + 1}/${epochs} ${training ? "train" : "valid"}`;
}

function whatOf(state: ProgressState | undefined, device: Device): string {
  const { requested, finished } = device.pipelines.progress;
  const parts: string[] = [];
  if (state?.loss !== undefined) parts.push(`loss ${state.loss.toFixed(4)}`);
  if (finished < requested) parts.push(`compiling kernels: ${finished} of ${requested} done`);
  if (state?.tuning !== undefined) {
    parts.push(`measuring kernels: ${state.tuning.done} of ${state.tuning.total} done`);
  }
  if (state?.secondsLeft !== undefined) parts.push(`${formatTime(state.secondsLeft)} left`);
  return parts.join(" | ");
}
