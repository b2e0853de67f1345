/** @file What a peer is to the benchmark: one small interface, which each peer's file implements. */
import type { HostArray } from "../../test/oracles/layout.ts";
import type { Work } from "./work.ts";

/** In the order of the columns. The first is what the others are compared with. */
export const peerNames = ["wgrad", "tfjs-webgpu", "jax-js", "tfjs-wasm", "onnxruntime"] as const;
export type PeerName = (typeof peerNames)[number];

/** The peers that compute on the WebGPU adapter; the others are there to show what the CPU can do without it. */
export const webgpuPeers: readonly PeerName[] = ["wgrad", "tfjs-webgpu", "jax-js"];

/** What the peer calls itself. */
export interface PeerDescription {
  readonly version: string;
  /** What it computes on. */
  readonly device: string;
}

export interface Peer {
  readonly description: PeerDescription;
  /** Uploads the inputs and builds the network. Throws, as `Prepared.run` may, when the peer cannot do the work. */
  prepare(work: Work): Promise<Prepared> | Prepared;
}

/** Work that a peer is ready to do. */
export interface Prepared {
  /** Does the work once. What it records before its first `await` is host time; it resolves when the results are computed. */
  run(): Promise<void>;
  /** The results of the last run as listed in work.ts; images NHWC, kernels [height, width, in, out]. */
  results(): Promise<HostArray[]>;
  /** Frees everything. */
  release(): Promise<void> | void;
}

/** Says that the peer has no way to do the work; the text becomes its cell of the table. */
export class Refusal extends Error {
  override name = "Refusal";
}
