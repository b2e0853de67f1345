/** @file What the benchmark and the process of a peer say to each other. One request at a time, each gets one answer. */
import type { Fingerprint } from "./fingerprint.ts";
import type { PeerDescription } from "./peer.ts";
import type { Work } from "./work.ts";

export type Request =
  | { readonly kind: "describe" }
  /** Get ready and run once; work before is given up. */
  | { readonly kind: "prepare"; readonly work: Work }
  /** Run again, so often. */
  | { readonly kind: "run"; readonly repeats: number }
  | { readonly kind: "release" };

/** One run. */
export interface Sample {
  /** From the call until the results were computed, in milliseconds. */
  readonly wallMs: number;
  /** The part of it before the first wait, in which the host records. */
  readonly hostMs: number;
}

export type Answer =
  | ({ readonly kind: "description" } & PeerDescription)
  | {
      readonly kind: "prepared";
      readonly first: Sample;
      readonly results: readonly Fingerprint[];
    }
  | { readonly kind: "samples"; readonly samples: readonly Sample[] }
  | { readonly kind: "released" }
  /** The peer cannot do the work, or failed; the work is given up. */
  | { readonly kind: "refusal"; readonly reason: string };

export interface Message {
  readonly answer: Answer;
  /** Seconds of processor time that the process used since its last answer, while others were to be measured, and in how many. */
  readonly idle: { readonly cpuSeconds: number; readonly seconds: number };
}
