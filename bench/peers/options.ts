/** @file The command line of `npm run bench:peers`. */
import { parseArgs } from "node:util";
import { UsageError } from "../options.ts";
import { peerNames, type PeerName } from "./peer.ts";

export const help = `npm run bench:peers -- [options]

Gives wgrad and its peers the same work on the same machine, compares the results, and prints times and their ratios.

  --peers A,B        only these: ${peerNames.join(", ")}
  --filter TEXT      only rows whose name and group contain all words of TEXT
  --all              every distinct convolution of ResNet-34, not one of each sort
  --repeats N        rounds in which the peers take turns, default 3; 2 at most where a run takes long
  --json FILE        write all rows
  --help             this text

WGRAD_ADAPTER=swiftshader or llvmpipe chooses a software adapter, for wgrad, tfjs-webgpu and jax-js alike.`;

export interface PeerOptions {
  readonly peers: readonly PeerName[];
  readonly filter: string;
  readonly all: boolean;
  readonly rounds: number;
  readonly json: string | undefined;
}

/** @throws UsageError, and what `parseArgs` throws for options that do not exist. */
export function parsePeerOptions(args: readonly string[]): PeerOptions | "help" {
  const { values } = parseArgs({
    args: [...args],
    options: {
      peers: { type: "string" },
      filter: { type: "string", default: "" },
      all: { type: "boolean", default: false },
      repeats: { type: "string", default: "3" },
      json: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) return "help";
  const rounds = Number(values.repeats);
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new UsageError(`--repeats: not a whole number of at least 1: ${values.repeats}`);
  }
  const { filter, all, json } = values;
  return { peers: chosenPeers(values.peers), filter, all, rounds, json };
}

/** In the order of the columns. */
function chosenPeers(list: string | undefined): readonly PeerName[] {
  if (list === undefined) return peerNames;
  const wanted = list.split(",");
  const unknown = wanted.find((name) => !peerNames.some((peer) => peer === name));
  if (unknown !== undefined) {
    throw new UsageError(`--peers: there is no peer ${unknown}. Known: ${peerNames.join(", ")}`);
  }
  return peerNames.filter((peer) => wanted.includes(peer));
}
