/**
 * @file One row: every peer does the work once, the results are compared, and those with right ones are timed. They take turns in
 * rounds, one process after another, so that a slow moment of the machine hits all of them.
 */
import { quantile } from "../../engine/timing/measure.ts";
import type { PeerProcess } from "./peer-process.ts";
import type { PeerName } from "./peer.ts";
import type { Answer, Sample } from "./protocol.ts";
import type { Fingerprint } from "./fingerprint.ts";
import { wrongResults } from "./verify.ts";
import { flopsOf, type WorkItem } from "./work.ts";

/** What became of a peer in a row. */
export type Outcome = { readonly peer: PeerName } & (
  ({ readonly kind: "timed" } & Times) | { readonly kind: "refused"; readonly reason: string }
);

/** Wall clock, completion awaited. */
export interface Times {
  /** Median in milliseconds. */
  readonly ms: number;
  /** Half of the distance between the quartiles, as part of the median. */
  readonly spread: number;
  /** Median of what the host does before its first wait. */
  readonly hostMs: number;
  /** The first run, compiling included. */
  readonly firstMs: number;
  /** All runs that were timed. */
  readonly samplesMs: readonly number[];
}

export interface Row {
  readonly group: string;
  readonly name: string;
  readonly flops: number;
  /** Of a chain: ops in a run. */
  readonly adds: number | undefined;
  /** In the order of the columns. */
  readonly outcomes: readonly Outcome[];
}

interface Contestant {
  readonly process: PeerProcess;
  readonly first: Sample;
  readonly results: readonly Fingerprint[];
  readonly samples: Sample[];
  repeats: number;
  rounds: number;
}

/** For one request: a slow peer on a busy machine, and its compiler. */
const limitMs = 300_000;
/** A round of a fast peer takes about so long. */
const roundMs = 250;
const mostRepeats = 20;
/** From here on a run is slow: no second warm-up, and two rounds at most. */
const slowMs = 4_000;

export async function measureItem(
  item: WorkItem,
  processes: readonly PeerProcess[],
  rounds: number,
): Promise<Row> {
  const refused = new Map<PeerName, string>();
  const contestants = new Map<PeerName, Contestant>();
  for (const process of processes) {
    const answer = await process.ask({ kind: "prepare", work: item.work }, limitMs);
    if (answer.kind === "prepared") {
      const { first, results } = answer;
      contestants.set(process.name, { process, first, results, samples: [], repeats: 1, rounds });
    } else refused.set(process.name, reasonOf(answer));
  }
  const drop = (name: PeerName, reason: string): void => {
    contestants.delete(name);
    refused.set(name, reason);
  };
  const results = new Map(Array.from(contestants, ([name, { results }]) => [name, results]));
  for (const [name, reason] of wrongResults(item.work, results)) drop(name, reason);
  for (const contestant of [...contestants.values()]) {
    const problem = await warmUp(contestant);
    if (problem !== undefined) drop(contestant.process.name, problem);
  }
  for (let round = 0; round < rounds; round++) {
    for (const contestant of [...contestants.values()]) {
      if (round >= contestant.rounds) continue;
      const problem = await run(contestant);
      if (problem !== undefined) drop(contestant.process.name, problem);
    }
  }
  for (const process of processes) await process.ask({ kind: "release" }, limitMs);
  return {
    group: item.group,
    name: item.name,
    flops: flopsOf(item.work),
    adds: item.work.kind === "chain" ? item.work.adds : undefined,
    outcomes: processes.map(({ name: peer }) => {
      const contestant = contestants.get(peer);
      return contestant === undefined
        ? { peer, kind: "refused", reason: shortened(refused.get(peer) ?? "no answer") }
        : { peer, kind: "timed", ...summarize(contestant) };
    }),
  };
}

/** Runs once more, unless that takes long, and decides how often to run in a round. */
async function warmUp(contestant: Contestant): Promise<string | undefined> {
  let estimate = contestant.first.wallMs;
  if (estimate < slowMs) {
    const problem = await run(contestant);
    if (problem !== undefined) return problem;
    estimate = contestant.samples.pop()?.wallMs ?? estimate;
  } else contestant.rounds = Math.min(2, contestant.rounds);
  contestant.repeats = Math.min(mostRepeats, Math.max(1, Math.round(roundMs / estimate)));
  return undefined;
}

/** A round; the problem, if there is one. */
async function run({ process, repeats, samples }: Contestant): Promise<string | undefined> {
  const answer = await process.ask({ kind: "run", repeats }, limitMs);
  if (answer.kind !== "samples") return reasonOf(answer);
  samples.push(...answer.samples);
  return undefined;
}

function reasonOf(answer: Answer): string {
  return answer.kind === "refusal" ? answer.reason : `unexpected answer: ${answer.kind}`;
}

/** Reasons that are long-winded, in few words. */
export function shortened(reason: string): string {
  const missing = /Kernel '(\w+)' not registered/.exec(reason)?.[1];
  if (missing !== undefined) return `no ${missing} kernel`;
  const [line = ""] = reason.split("\n");
  return line.length <= 120 ? line : `${line.slice(0, 117)}...`;
}

function summarize({ first, samples }: Contestant): Times {
  const samplesMs = samples.map(({ wallMs }) => wallMs);
  const ms = quantile(samplesMs, 0.5);
  return {
    ms,
    spread: (quantile(samplesMs, 0.75) - quantile(samplesMs, 0.25)) / 2 / ms,
    hostMs: quantile(
      samples.map(({ hostMs }) => hostMs),
      0.5,
    ),
    firstMs: first.wallMs,
    samplesMs,
  };
}
