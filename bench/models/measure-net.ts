/** @file A whole net: images per second, and where its time and memory go. */
import { openScope, profile, sizeOf, type Device, type Tensor } from "../../engine/index.ts";
import { quantile } from "../../engine/timing/measure.ts";
import { openTimer } from "../../engine/timing/span-timer.ts";
import { collectGarbage } from "../collect-garbage.ts";
import { start, type NetCase, type Running } from "./nets.ts";

export interface NetRow {
  readonly net: string;
  readonly mode: NetCase["mode"];
  readonly batch: number;
  readonly imageSize: number;
  /** Median wall time of a step in milliseconds, with steps recorded one after another, as a fit loop does. */
  readonly wallMs: number;
  /** GPU time of the same steps, from the first dispatch to the last. */
  readonly gpuMs: number;
  /** Median host time to record, encode and submit a step while the device is idle. */
  readonly hostMs: number;
  /** Half of the distance between the quartiles of the wall time, as part of the median. */
  readonly spread: number;
  readonly steps: number;
  readonly dispatches: number;
  readonly hostMicrosecondsPerDispatch: number;
  /** The same for a step that is replayed. */
  readonly replayMicrosecondsPerDispatch: number;
  readonly imagesPerSecond: number;
  /** Part of the GPU time that convolutions take, by a profile with a timestamp for each dispatch. */
  readonly convolutionShare: number;
  /** The most bytes that tensors owned at one time during a step. */
  readonly peakBytes: number;
  /** Parameters, gradients, optimizer state (SGD with momentum), and the activations that backward needs. */
  readonly neededBytes: number | undefined;
}

/** Milliseconds to spend on the measured steps of one net. */
const budgetMs = 6000;
const fewestSteps = 3;
const mostSteps = 40;
/** Spans of steps that follow each other without waiting. */
const spans = 3;
/** Steps that the host's time is measured on, after those. */
const hostSteps = { budgetMs: 2000, fewest: 5, most: 40 };

export async function measureNet(device: Device, net: NetCase): Promise<NetRow> {
  // What earlier cases kept must not count as memory of this one.
  await collectGarbage(device);
  using _scope = openScope();
  const running = start(device, net);
  // The first step compiles, and the optimizer moves the parameters side by side.
  await timeSteps(device, running, 1);
  const before = device.recorder.counts.dispatches;
  const { wallMs: stepMs } = await timeSteps(device, running, 1);
  const dispatches = device.recorder.counts.dispatches - before;
  const wanted = Math.floor(budgetMs / spans / stepMs);
  const perSpan = Math.min(mostSteps, Math.max(fewestSteps, wanted));
  device.buffers.resetPeak();
  const measured = [];
  for (let i = 0; i < spans; i++) {
    measured.push(await timeSteps(device, running, perSpan, dispatches));
  }
  const { peakBytes } = device.memory();
  const wall = measured.map(({ wallMs }) => wallMs);
  const hostMs = await hostTime(device, running, hostStepsFor(stepMs));
  const replayMs = await replayTime(device, running, hostStepsFor(stepMs));
  const wallMs = quantile(wall, 0.5);
  const { batch, imageSize, mode } = net;
  return {
    ...{ net: net.net, mode, batch, imageSize, wallMs, hostMs, dispatches, peakBytes },
    gpuMs: quantile(
      measured.map(({ gpuMs }) => gpuMs),
      0.5,
    ),
    spread: (quantile(wall, 0.75) - quantile(wall, 0.25)) / 2 / wallMs,
    steps: spans * perSpan,
    hostMicrosecondsPerDispatch: (1000 * hostMs) / dispatches,
    replayMicrosecondsPerDispatch: (1000 * replayMs) / dispatches,
    imagesPerSecond: (1000 * batch) / wallMs,
    convolutionShare: await convolutionShare(device, running),
    neededBytes: mode === "training" ? neededBytes(device, running) : undefined,
  };
}

interface Steps {
  readonly wallMs: number;
  readonly gpuMs: number;
}

/** Times of each of `count` steps, recorded without waiting. GPU time only when the number of dispatches of a step is known. */
async function timeSteps(
  device: Device,
  { step }: Running,
  count: number,
  dispatches?: number,
): Promise<Steps> {
  const timer = dispatches === undefined ? undefined : openTimer(device);
  timer?.expect(count * (dispatches ?? 0));
  await device.synchronize();
  device.recorder.profiler = timer;
  const begin = performance.now();
  try {
    for (let i = 0; i < count; i++) {
      using _scope = openScope();
      step();
      device.flush();
      // A fit loop awaits its next batch: the device's callbacks get a turn.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await device.synchronize();
  } finally {
    device.recorder.profiler = undefined;
  }
  const wallMs = (performance.now() - begin) / count;
  if (timer === undefined) return { wallMs, gpuMs: NaN };
  const [first, last] = await timer.read();
  timer.destroy();
  return { wallMs, gpuMs: Number(last - first) / 1e6 / count };
}

function hostStepsFor(stepMs: number): number {
  const { budgetMs, fewest, most } = hostSteps;
  return Math.min(most, Math.max(fewest, Math.floor(budgetMs / stepMs)));
}

/** Steps before those that count: recorded as one submit, a step makes its bind groups anew. */
const hostWarmUp = 2;

/**
 * The device begins when all is encoded, and has finished before the next step is recorded: the shaders of a software adapter would
 * compete with the host for its cores.
 */
export async function hostTime(
  device: Device,
  { step }: Pick<Running, "step">,
  count: number,
): Promise<number> {
  const { recorder } = device;
  const { commandsPerSubmit } = recorder;
  const times: number[] = [];
  recorder.commandsPerSubmit = Infinity;
  try {
    for (let i = 0; i < hostWarmUp + count; i++) {
      await device.synchronize();
      const begin = performance.now();
      {
        using _scope = openScope();
        step();
      }
      device.flush();
      times.push(performance.now() - begin);
    }
    await device.synchronize();
  } finally {
    recorder.commandsPerSubmit = commandsPerSubmit;
  }
  return quantile(times.slice(hostWarmUp), 0.5);
}

/** Host time of a replay, in milliseconds. Two calls come before the first one: those to warm up. */
async function replayTime(
  device: Device,
  { replayed, batch }: Running,
  count: number,
): Promise<number> {
  const step = (): Tensor => replayed(...batch);
  const milliseconds = await hostTime(device, { step }, count);
  replayed.release();
  return milliseconds;
}

/** Part of the GPU time of all dispatches that belongs to convolutions: all of these have names that begin alike. */
export async function convolutionShare(
  device: Device,
  { step }: Pick<Running, "step">,
): Promise<number> {
  const { kernels } = await profile(() => {
    using _scope = openScope();
    step();
  }, device);
  return kernels
    .filter(({ kernel }) => kernel.startsWith("conv2d"))
    .reduce((sum, { share }) => sum + share, 0);
}

/** Parameters, gradients and velocities are of one size; the activations are what the graph of a loss holds. */
function neededBytes(device: Device, { loss, parameters }: Running): number {
  using _scope = openScope();
  const before = device.memory().liveBytes;
  loss();
  const activations = device.memory().liveBytes - before;
  const parameterBytes = parameters.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
  return 3 * parameterBytes + activations;
}
