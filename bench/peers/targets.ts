/** @file What wgrad is meant to reach beside its peers; the ratios are times of the peer over times of wgrad. */
import { milliseconds } from "../report/table.ts";
import type { Target } from "../targets.ts";
import type { Row } from "./measure.ts";
import type { PeerName } from "./peer.ts";

interface Aim {
  readonly what: string;
  /** Beginning of the names of the rows, and their end. */
  readonly rows: RegExp;
  /** The best of these counts. */
  readonly peers: readonly PeerName[];
  /** The least ratio. */
  readonly least: number;
}

const aims: readonly Aim[] = [
  {
    what: "matmul, over the better of tfjs-webgpu and jax-js",
    rows: /^matmul/,
    peers: ["tfjs-webgpu", "jax-js"],
    least: 8,
  },
  { what: "matmul, over tfjs-wasm", rows: /^matmul/, peers: ["tfjs-wasm"], least: 1 },
  {
    what: "convolution with both gradients, over tfjs-webgpu",
    rows: /^conv .*gradients$/,
    peers: ["tfjs-webgpu"],
    least: 15,
  },
  {
    what: "convolution with both gradients, over jax-js",
    rows: /^conv .*gradients$/,
    peers: ["jax-js"],
    least: 6,
  },
  {
    what: "training step of ResNet-34, over tfjs-webgpu",
    rows: /^training/,
    peers: ["tfjs-webgpu"],
    least: 10,
  },
  {
    what: "inference of ResNet-34, over tfjs-wasm",
    rows: /^inference/,
    peers: ["tfjs-wasm"],
    least: 1,
  },
  {
    what: "inference of ResNet-34, over onnxruntime",
    rows: /^inference/,
    peers: ["onnxruntime"],
    least: 0.2,
  },
];

/** The aims for which there are times. Without a time of wgrad an aim is missed. */
export function judgePeers(rows: readonly Row[]): Target[] {
  return aims.flatMap(({ what, rows: names, peers, least }) => {
    const ratios = rows
      .filter(({ name }) => names.test(name))
      .flatMap((row) => {
        const best = Math.min(...peers.map((peer) => timeOf(row, peer) ?? Infinity));
        if (best === Infinity) return [];
        return [{ name: row.name, value: best / (timeOf(row, "wgrad") ?? Infinity) }];
      });
    const [worst] = [...ratios].sort((a, b) => a.value - b.value);
    if (worst === undefined) return [];
    const reached = ratios.filter(({ value }) => value >= least).length;
    return [
      {
        what,
        wanted: `at least ${least} x`,
        measured: `worst ${milliseconds(worst.value)} x (${worst.name}); ${reached} of ${ratios.length} reach it`,
        met: reached === ratios.length,
      },
    ];
  });
}

/** Geometric means of the ratios, for each group and peer; undefined where the two have no row in common. */
export function meanRatios(rows: readonly Row[], peer: PeerName): Map<string, number | undefined> {
  const groups = [...new Set(rows.map(({ group }) => group))];
  return new Map(
    groups.map((group) => {
      const logs = rows
        .filter((row) => row.group === group)
        .flatMap((row) => {
          const [ours, theirs] = [timeOf(row, "wgrad"), timeOf(row, peer)];
          return ours === undefined || theirs === undefined ? [] : [Math.log(theirs / ours)];
        });
      const mean = logs.reduce((sum, log) => sum + log, 0) / logs.length;
      return [group, logs.length === 0 ? undefined : Math.exp(mean)];
    }),
  );
}

function timeOf({ outcomes }: Row, peer: PeerName): number | undefined {
  const outcome = outcomes.find((one) => one.peer === peer);
  return outcome?.kind === "timed" ? outcome.ms : undefined;
}
