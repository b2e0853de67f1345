/** @file A row of the benchmark: what was measured, on what, and how near it is to the measured limit. */
import type { Work } from "./case.ts";
import type { Timing } from "../engine/timing/measure.ts";

/** Where and when; the same for all rows of a run. */
export interface Environment {
  readonly adapter: string;
  readonly driver: string;
  readonly cores: number;
  readonly processor: string;
  readonly node: string;
  readonly commit: string;
  /** ISO 8601. */
  readonly date: string;
  /** Tick of the device's clock in nanoseconds. */
  readonly clockTickNs: number;
}

export interface Row {
  readonly suite: string;
  readonly op: string;
  readonly shape: string;
  readonly variant: string;
  /** The variant that wgrad runs here by itself. */
  readonly chosen: boolean;
  readonly gpuMs: number;
  readonly spread: number;
  readonly leastMs: number;
  readonly wallMs: number;
  readonly repetitions: number;
  readonly rounds: number;
  readonly dispatches: number;
  readonly bound: Work["bound"];
  readonly flops: number;
  readonly bytes: number;
  /** 10^9 flops in a second; undefined where there is no arithmetic to speak of. */
  readonly gflops: number | undefined;
  /** 10^9 of the bytes that must move in a second. */
  readonly gbps: number;
  /** Part of the measured limit: of the FMA peak where arithmetic is the bound, of the copy of as many bytes elsewhere. */
  readonly share: number | undefined;
  /** The largest error against the float64 reference. */
  readonly error: number | undefined;
}

/** The measured limits of the adapter. */
export interface Limits {
  /** GFLOP/s of independent fma chains; undefined when not measured. */
  readonly peakGflops: number | undefined;
  /** GB/s of the best copy kernel by bytes moved. */
  readonly copies: readonly { readonly bytes: number; readonly gbps: number }[];
}

/** The copy that moves about as many bytes: caches make small ones faster. */
export function copyBandwidth({ copies }: Limits, bytes: number): number | undefined {
  const distance = (other: number): number => Math.abs(Math.log(other / bytes));
  const [nearest] = [...copies].sort((a, b) => distance(a.bytes) - distance(b.bytes));
  return nearest?.gbps;
}

export function makeRow(
  about: Pick<Row, "suite" | "op" | "shape" | "variant" | "chosen" | "error">,
  work: Work,
  timing: Timing,
  limits: Limits,
): Row {
  const gflops = work.flops / timing.gpuMs / 1e6;
  const gbps = work.bytes / timing.gpuMs / 1e6;
  const limit = work.bound === "compute" ? limits.peakGflops : copyBandwidth(limits, work.bytes);
  const speed = work.bound === "compute" ? gflops : gbps;
  return {
    ...about,
    ...timing,
    ...work,
    gflops: work.flops > 0 ? gflops : undefined,
    gbps,
    share: limit === undefined ? undefined : speed / limit,
  };
}
