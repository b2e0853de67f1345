/** @file `npm run bench:peers`: wgrad beside other engines, each in a process of its own. Options: `--help`. */
import { mkdir, writeFile } from "node:fs/promises";
import { availableParallelism, cpus } from "node:os";
import { dirname } from "node:path";
import { matches, UsageError } from "../options.ts";
import { formatTargets } from "../report/nets.ts";
import { formatColumns, milliseconds } from "../report/table.ts";
import { measureItem, type Row } from "./measure.ts";
import { help, parsePeerOptions, type PeerOptions } from "./options.ts";
import { PeerProcess } from "./peer-process.ts";
import { webgpuPeers, type PeerDescription, type PeerName } from "./peer.ts";
import { formatHeader, formatRow } from "./table.ts";
import { judgePeers, meanRatios } from "./targets.ts";
import { commit } from "./versions.ts";
import { workItems } from "./work.ts";

interface Head {
  readonly processor: string;
  readonly cores: number;
  readonly node: string;
  readonly commit: string;
  /** ISO 8601. */
  readonly date: string;
  readonly peers: Readonly<Partial<Record<PeerName, PeerDescription>>>;
}

const startLimitMs = 120_000;

async function main(options: PeerOptions): Promise<void> {
  const processes = options.peers.map((name) => new PeerProcess(name));
  try {
    const head = await describe(processes);
    console.log(`${formatHead(head)}\n`);
    const rows = await measureAll(processes, options);
    summarize(rows, processes);
    if (options.json !== undefined) {
      await mkdir(dirname(options.json), { recursive: true });
      const report = { head, rows, targets: judgePeers(rows) };
      await writeFile(options.json, `${JSON.stringify(report, null, 1)}\n`);
      console.log(`wrote ${options.json}`);
    }
  } finally {
    for (const peer of processes) await peer[Symbol.asyncDispose]();
  }
}

/** Starts all peers. One that does not start is in every row with the reason. */
async function describe(processes: readonly PeerProcess[]): Promise<Head> {
  const peers: Partial<Record<PeerName, PeerDescription>> = {};
  for (const peer of processes) {
    const answer = await peer.ask({ kind: "describe" }, startLimitMs);
    const reason = answer.kind === "refusal" ? answer.reason : answer.kind;
    peers[peer.name] =
      answer.kind === "description"
        ? { version: answer.version, device: answer.device }
        : { version: peer.name, device: `does not start: ${reason}` };
  }
  return {
    processor: cpus()[0]?.model.trim() ?? "unknown",
    cores: availableParallelism(),
    node: process.version,
    commit: commit(),
    date: new Date().toISOString(),
    peers,
  };
}

function formatHead({ peers, processor, cores, node, commit: at, date }: Head): string {
  const described = Object.entries(peers).map(([name, { version, device }]) => [
    ...[name, version, device],
  ]);
  const adapters = new Set(webgpuPeers.flatMap((name) => peers[name]?.device ?? []));
  return [
    formatColumns(described, 3),
    ...(adapters.size > 1 ? ["WARNING: the WebGPU peers do not run on one adapter"] : []),
    `${processor}, ${cores} cores; Node ${node}; commit ${at}; ${date}`,
    "Wall clock until the results are computed: median ± half of the distance between the quartiles; 'x' is the time over wgrad's.",
  ].join("\n");
}

async function measureAll(
  processes: readonly PeerProcess[],
  { all, filter, rounds, peers }: PeerOptions,
): Promise<Row[]> {
  const items = workItems(all).filter(({ group, name }) => matches(filter, name, group));
  const rows: Row[] = [];
  for (const [i, item] of items.entries()) {
    if (item.group !== items[i - 1]?.group) {
      console.log(`${i === 0 ? "" : "\n"}${formatHeader(item.group, peers)}`);
    }
    const row = await measureItem(item, processes, rounds);
    rows.push(row);
    console.log(formatRow(row));
  }
  return rows;
}

function summarize(rows: readonly Row[], processes: readonly PeerProcess[]): void {
  const others = processes.map(({ name }) => name).filter((name) => name !== "wgrad");
  const means = others.map((peer) => meanRatios(rows, peer));
  const groups = [...new Set(rows.map(({ group }) => group))];
  const cells = groups.map((group) => [
    group,
    ...means.map((mean) => {
      const ratio = mean.get(group);
      return ratio === undefined ? "-" : `${milliseconds(ratio)} x`;
    }),
  ]);
  const header = ["how many times faster wgrad is, geometric mean", ...others];
  if (others.length > 0 && rows.length > 0) {
    console.log(`\n${formatColumns([header, ...cells], 1)}\n`);
  }
  const targets = judgePeers(rows);
  if (targets.length > 0) {
    console.log(`targets, set for llvmpipe on two cores\n${formatTargets(targets)}\n`);
  }
  for (const { name, idle } of processes) {
    const share = idle.cpuSeconds / idle.seconds;
    if (!(share > mostIdleShare)) continue;
    console.log(`WARNING: ${name} used ${(100 * share).toFixed(0)} % of a core while others ran`);
  }
}

/** Of a core, used by a peer while it had nothing to do. */
const mostIdleShare = 0.05;

try {
  const options = parsePeerOptions(process.argv.slice(2));
  if (options === "help") console.log(help);
  else await main(options);
} catch (error) {
  // parseArgs throws TypeErrors with a code for what it does not know.
  const isUsage = error instanceof UsageError || (error instanceof TypeError && "code" in error);
  if (!isUsage) throw error;
  console.error(`bench:peers: ${error.message}\n\nnpm run bench:peers -- --help`);
  process.exitCode = 2;
}
