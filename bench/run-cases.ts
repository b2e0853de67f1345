/** @file Runs cases: inputs, every wanted variant verified, then all of them timed in turns. */
import { openScope, type Device } from "../engine/index.ts";
import { withVariant } from "../engine/ops/variants.ts";
import type { BenchCase, Prepared } from "./case.ts";
import { makeRow, type Limits, type Row } from "./row.ts";
import { measure, type MeasureOptions } from "../engine/timing/measure.ts";
import { verify } from "./verify.ts";

/** Which variants to run: the one that wgrad chooses, all, or those of these names. */
export type WantedVariants = "chosen" | "all" | readonly string[];

export interface RunOptions extends MeasureOptions {
  readonly variants: WantedVariants;
}

/** The rows of one case. */
export async function runCase(
  device: Device,
  benchCase: BenchCase,
  limits: Limits,
  options: RunOptions,
): Promise<readonly Row[]> {
  const { suite, op, shape, family, work } = benchCase;
  const candidates = benchCase.variants?.(device) ?? [""];
  const names = wanted(candidates, options.variants);
  if (names.length === 0) return [];
  using _scope = openScope();
  const prepared = benchCase.prepare(device);
  const errors = new Map<string, number>();
  const bodies: Record<string, () => void> = {};
  for (const name of names) {
    const pinned = pin(prepared, family, name);
    errors.set(name, await verify(device, `${op} ${shape} ${name}`, pinned));
    bodies[name] = () => {
      pinned.run();
    };
  }
  const timings = await measure(device, bodies, options);
  return names.flatMap((variant) => {
    const timing = timings[variant];
    if (timing === undefined) return [];
    const chosen = variant === candidates[0];
    const about = { suite, op, shape, variant, chosen, error: errors.get(variant) };
    return [makeRow(about, work, timing, limits)];
  });
}

function wanted(candidates: readonly string[], choice: WantedVariants): readonly string[] {
  if (choice === "all") return candidates;
  if (choice === "chosen") return candidates.slice(0, 1);
  return candidates.filter((name) => choice.includes(name));
}

function pin(prepared: Prepared, family: string | undefined, variant: string): Prepared {
  if (family === undefined) return prepared;
  return { ...prepared, run: () => withVariant(family, variant, () => prepared.run()) };
}
