/**
 * @file Times that can be trusted: what is measured was compiled and run before; it is repeated until the clock's tick is less than
 * 1 % of the span; variants take turns, so that a slow moment of the machine hits all of them; the median speaks.
 */
import type { Device } from "../device/device.ts";
import { ArgumentError } from "../errors.ts";
import { openScope } from "../scope.ts";
import { clockTick } from "./clock.ts";
import { openTimer, timeSpan, type SpanTimer } from "./span-timer.ts";

/** The times of one variant, each for one run. */
export interface Timing {
  /** Median GPU time in milliseconds. */
  readonly gpuMs: number;
  /** Half of the distance between the quartiles, as part of the median. */
  readonly spread: number;
  /** Shortest GPU time in milliseconds. */
  readonly leastMs: number;
  /** Median time in milliseconds from the first call on the host until the device had finished, over all repetitions. */
  readonly wallMs: number;
  /** Runs in one span. */
  readonly repetitions: number;
  /** Spans. */
  readonly rounds: number;
  readonly dispatches: number;
}

export interface MeasureOptions {
  /** Part of a span that the tick of the clock may be. Default: 0.01. */
  readonly tickShare?: number;
  /** Spans of each variant. Default: 7, fewer where one takes long. */
  readonly rounds?: number;
  /** Milliseconds for all spans of one variant together, not counting the first. Default: 1500. */
  readonly budgetMs?: number;
}

interface Contestant {
  readonly run: () => void;
  dispatches: number;
  repetitions: number;
  rounds: number;
  /** Milliseconds that a span must last, and the most repetitions that fit into it. */
  readonly wanted: number;
  readonly most: number;
  readonly gpu: number[];
  readonly wall: number[];
}

/** A span shorter than this is mostly the cost of starting and ending it. */
const leastSpanMs = 2;

/** Until every span is long enough. */
const mostAttempts = 4;

/** So many dispatches fit into one submit; see the arena of the command recorder. */
const mostDispatches = 900;

/**
 * Measures what the bodies record, in turns. They must record the same dispatches every time and leave memory to their scope.
 */
export async function measure<Name extends string>(
  device: Device,
  bodies: Readonly<Record<Name, () => void>>,
  options: MeasureOptions = {},
): Promise<Readonly<Record<Name, Timing>>> {
  const tickMs = (await clockTick(device)) / 1e6;
  const timer = openTimer(device);
  const names = Object.keys(bodies) as Name[];
  const contestants = new Map<Name, Contestant>();
  try {
    for (const name of names) {
      contestants.set(name, await warmUp(device, timer, bodies[name], tickMs, options));
    }
    let unfinished = [...contestants.values()];
    for (let attempt = 0; attempt < mostAttempts && unfinished.length > 0; attempt++) {
      await takeTurns(device, timer, unfinished);
      unfinished = unfinished.filter(isTooShort);
    }
  } finally {
    timer?.destroy();
  }
  const timings = {} as Record<Name, Timing>;
  for (const [name, contestant] of contestants) timings[name] = summarize(contestant);
  return timings;
}

/** Spans of all contestants, one of each in every round. */
async function takeTurns(
  device: Device,
  timer: SpanTimer | undefined,
  contestants: readonly Contestant[],
): Promise<void> {
  for (const contestant of contestants) {
    contestant.gpu.length = 0;
    contestant.wall.length = 0;
  }
  const most = Math.max(...contestants.map(({ rounds }) => rounds));
  for (let round = 0; round < most; round++) {
    for (const contestant of contestants) {
      if (round < contestant.rounds) await addSpan(device, timer, contestant);
    }
  }
}

/** A hiccup while warming up let the work seem longer than it is: then it needs more repetitions, and new spans. */
function isTooShort(contestant: Contestant): boolean {
  const { gpu, repetitions, wanted, most } = contestant;
  const span = quantile(gpu, 0.5) * repetitions;
  if (span >= wanted || repetitions === most) return false;
  contestant.repetitions = moreRepetitions(contestant, span);
  return true;
}

/** Towards the wanted span, at most tenfold: a span of few ticks says little. */
function moreRepetitions({ repetitions, wanted, most }: Contestant, span: number): number {
  const factor = Math.min(10, Math.max(1.5, (1.2 * wanted) / Math.max(span, wanted / 100)));
  return Math.min(most, Math.ceil(repetitions * factor));
}

/** Runs in a scope, so that a repeated run finds the memory of the one before in the pool. */
function inScope(body: () => void): void {
  using _scope = openScope();
  body();
}

/** Compiles, counts the dispatches, and finds how often to repeat. */
async function warmUp(
  device: Device,
  timer: SpanTimer | undefined,
  run: () => void,
  tickMs: number,
  { tickShare = 0.01, rounds = 7, budgetMs = 1500 }: MeasureOptions,
): Promise<Contestant> {
  // What was recorded before is not part of it.
  await device.synchronize();
  const before = device.recorder.counts.dispatches;
  inScope(run);
  await device.synchronize();
  const dispatches = device.recorder.counts.dispatches - before;
  if (dispatches === 0) {
    throw new ArgumentError("measure", "the body records nothing: 0 dispatches", "Call ops in it");
  }
  const most = Math.max(1, Math.floor(mostDispatches / dispatches));
  const wanted = Math.max(tickMs / tickShare, leastSpanMs);
  const contestant: Contestant = {
    ...{ run, dispatches, repetitions: 1, rounds, wanted, most, gpu: [], wall: [] },
  };
  let span = await addSpan(device, timer, contestant);
  while (span < wanted && contestant.repetitions < most) {
    contestant.repetitions = moreRepetitions(contestant, span);
    span = await addSpan(device, timer, contestant);
  }
  const affordable = Math.floor(budgetMs / Math.max(span, 0.01));
  contestant.rounds = Math.max(Math.min(3, rounds), Math.min(rounds, affordable));
  return contestant;
}

/** Milliseconds of the span. */
async function addSpan(
  device: Device,
  timer: SpanTimer | undefined,
  contestant: Contestant,
): Promise<number> {
  const { run, dispatches, repetitions, gpu, wall } = contestant;
  const span = await timeSpan(device, timer, dispatches * repetitions, () => {
    for (let i = 0; i < repetitions; i++) inScope(run);
  });
  gpu.push(span.gpuMs / repetitions);
  wall.push(span.wallMs / repetitions);
  return span.gpuMs;
}

function summarize({ gpu, wall, repetitions, dispatches }: Contestant): Timing {
  const gpuMs = quantile(gpu, 0.5);
  return {
    gpuMs,
    spread: (quantile(gpu, 0.75) - quantile(gpu, 0.25)) / 2 / gpuMs,
    leastMs: Math.min(...gpu),
    wallMs: quantile(wall, 0.5),
    repetitions,
    rounds: gpu.length,
    dispatches,
  };
}

/** The value below which the part `q` of the values lies, linear in between. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * q;
  const below = sorted[Math.floor(place)] ?? NaN;
  const above = sorted[Math.ceil(place)] ?? NaN;
  return below + (above - below) * (place - Math.floor(place));
}
