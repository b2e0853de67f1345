/**
 * @file A control: one product, measured again after each suite. It needs arithmetic and caches, as most kernels do, so when other
 * programs on the machine slow these down, it shows. The FMA peak does not: it lives in registers.
 */
import type { Device } from "../engine/index.ts";
import type { BenchCase } from "./case.ts";
import type { Limits } from "./row.ts";
import { runCase } from "./run-cases.ts";
import { productCase } from "./suites/matmul.ts";

export interface ControlReading {
  /** The suite after which it was taken; "limits" for the first. */
  readonly after: string;
  readonly gpuMs: number;
}

/** A reading that differs more than this from the first one is worth a warning. */
const tolerated = 1.1;

const budgetMs = 300;

export class Control {
  readonly readings: ControlReading[] = [];
  readonly #device: Device;
  readonly #case: BenchCase = productCase({ m: 512, n: 512, k: 512 });

  constructor(device: Device) {
    this.#device = device;
  }

  /** Measures the product; the result is a warning when the machine is not what it was at the first reading. */
  async read(after: string, limits: Limits): Promise<string | undefined> {
    const options = { variants: "chosen", budgetMs } as const;
    const [row] = await runCase(this.#device, this.#case, limits, options);
    if (row === undefined) return undefined;
    this.readings.push({ after, gpuMs: row.gpuMs });
    return driftWarning(this.readings);
  }
}

/** What to say of the last reading beside the first, if anything. */
export function driftWarning(readings: readonly ControlReading[]): string | undefined {
  const [first, last] = [readings[0], readings.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const ratio = last.gpuMs / first.gpuMs;
  if (ratio <= tolerated && ratio >= 1 / tolerated) return undefined;
  const change = ratio > 1 ? `${ratio.toFixed(2)} x slower` : `${(1 / ratio).toFixed(2)} x faster`;
  return (
    `note: after ${last.after} the machine was ${change} than at the start (matmul 512: ` +
    `${first.gpuMs.toFixed(2)} and ${last.gpuMs.toFixed(2)} ms): shares and ratios across suites are off by as much`
  );
}
