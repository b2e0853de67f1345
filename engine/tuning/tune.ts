/**
 * @file The tuner: runs the variants of each kernel on the shapes at hand and remembers the fastest. What no table of rules can know
 * about an adapter, it measures.
 */
import { defaultDevice, type Device } from "../device/device.ts";
import type { DType } from "../dtype.ts";
import { cast } from "../ops/cast.ts";
import { randomUniform } from "../ops/random.ts";
import {
  observeProblems,
  problemKey,
  withVariant,
  type Family,
  type Operands,
} from "../ops/variants.ts";
import { Generator } from "../philox.ts";
import { keep, openScope } from "../scope.ts";
import type { Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";
import { measure } from "../timing/measure.ts";
import { TuningTable, type Winner } from "./tuning-table.ts";

export interface TuneOptions {
  /** Default: the default device. */
  readonly device?: Device;
  /** Where winners are looked up and remembered. Default: the device's own, which `openNodeDevice` keeps in a file. */
  readonly table?: TuningTable;
  /** Told before each problem is measured. */
  readonly onProgress?: (progress: TuneProgress) => void;
}

export interface TuneProgress {
  /** Problems measured so far, and all that are known by now: a winner may bring others with it. */
  readonly done: number;
  readonly total: number;
  readonly family: string;
  readonly problem: string;
}

/** A problem with what was measured. */
export interface Tuned extends Winner {
  readonly family: string;
  readonly problem: string;
  /** The variant that would run without tuning. */
  readonly usual: string;
}

/** A problem that was seen and that has more than one candidate. */
interface Found {
  readonly family: string;
  readonly problem: string;
  readonly candidates: readonly string[];
  /** Makes tensors like those it was seen with. */
  readonly prepare: () => Prepared;
}

/** A problem on tensors of its own. */
interface Prepared extends Disposable {
  readonly run: () => void;
}

/** A candidate that takes this many times as long as the best at first is not measured further. */
const hopeless = 3;

/** A candidate must be this much faster than the usual one, so that noise does not decide. */
const worthwhile = 0.97;

const tables = new WeakMap<Device, TuningTable>();

/** The table of a device; an empty one at first. */
export function tuningTable(device: Device): TuningTable {
  let table = tables.get(device);
  if (table === undefined) useTuningTable(device, (table = new TuningTable()));
  return table;
}

/** Lets a table choose the variants on a device, and `tune` add to it. */
export function useTuningTable(device: Device, table: TuningTable): void {
  tables.set(device, table);
  table.apply(device);
}

/**
 * Runs `body` once, for example a training step, and measures for each matrix product and convolution in it which variant is
 * fastest. These run from then on, and in Node in later programs: `TuningTable.save`. Problems that the table knows already
 * are not measured again. `Learner` does it with the option `tune`.
 *
 * ```ts
 * await tune(() => backward(crossEntropy(model.forward(images), labels)));
 * ```
 *
 * @returns what was measured, in the order of the first occurrence.
 */
export async function tune(body: () => void, options: TuneOptions = {}): Promise<Tuned[]> {
  const collector = new ProblemCollector(options);
  collector.watch(body);
  return collector.measure();
}

/** The two halves of `tune`, for those who cannot run the body themselves: a fit loop watches its first step. */
export class ProblemCollector {
  readonly #device: Device;
  readonly #table: TuningTable;
  readonly #onProgress: TuneOptions["onProgress"];
  readonly #found = new Map<string, Found>();

  constructor(options: TuneOptions = {}) {
    this.#device = options.device ?? defaultDevice("tune");
    this.#table = options.table ?? tuningTable(this.#device);
    this.#onProgress = options.onProgress;
  }

  /** There is something to measure. */
  get hasFound(): boolean {
    return this.#found.size > 0;
  }

  /** Runs `body` and takes down its problems. */
  watch<R>(body: () => R): R {
    const stop = this.start();
    try {
      return body();
    } finally {
      stop();
    }
  }

  /** Takes down all problems from now on; the result ends it. */
  start(): () => void {
    return observeProblems((family, tensors, problem) => {
      this.#see(family, tensors, problem);
    });
  }

  #see<T extends Operands, P>(family: Family<T, P>, tensors: T, problem: P): void {
    const { name } = family;
    const described = problemKey(family, tensors, problem);
    const key = `${name} ${described}`;
    const isOther = Object.values(tensors).some(
      (t) => t !== undefined && t.device !== this.#device,
    );
    if (isOther || this.#found.has(key)) return;
    if (this.#table.get(this.#device.adapter, name, described) !== undefined) return;
    const candidates = family.candidates(this.#device, problem);
    if (candidates.length < 2) return;
    // Shapes only: the tensors themselves must not be kept alive.
    const specs = Object.entries(tensors).map(([binding, t]) => ({
      ...{ binding, shape: t?.shape, dtype: t?.dtype },
    }));
    this.#found.set(key, {
      ...{ family: name, problem: described, candidates },
      prepare: () => {
        const own = specs.map(
          ({ binding, shape, dtype }) =>
            [binding, shape && dtype && randomLike(this.#device, shape, dtype)] as const,
        );
        const operands = Object.fromEntries(own) as T;
        return {
          run: () => {
            family.run(this.#device, operands, problem);
          },
          [Symbol.dispose]: () => {
            for (const [, tensor] of own) tensor?.release();
          },
        };
      },
    });
  }

  /**
   * Measures what was seen and not known, and saves the winners. The device should have nothing else to do meanwhile.
   * @returns what was measured, in the order of the first occurrence; what only winners brought with them comes last.
   * @throws DeviceError when a candidate fails on the device. The winners until then are remembered.
   */
  async measure(): Promise<Tuned[]> {
    const tuned: Tuned[] = [];
    const measured = new TuningTable();
    try {
      // The map grows on the way: see #remember.
      for (const each of this.#found.values()) {
        const { family, problem } = each;
        this.#onProgress?.({ done: tuned.length, total: this.#found.size, family, problem });
        const winner = await measureProblem(this.#device, each);
        this.#remember(each, winner, measured);
        tuned.push({ ...winner, family, problem, usual: each.candidates[0] ?? winner.variant });
      }
    } finally {
      this.#found.clear();
      if (tuned.length > 0) {
        // What candidates needed, nobody may need again.
        this.#device.buffers.trim();
        await this.#table.save?.(measured);
      }
    }
    return tuned;
  }

  /** Runs the winner once more: one made of matrix products, as Winograd's is, brings problems that no step has run so far. */
  #remember(found: Found, winner: Winner, measured: TuningTable): void {
    const { family, problem } = found;
    for (const table of [this.#table, measured]) {
      table.set(this.#device.adapter, family, problem, winner);
    }
    using _scope = openScope();
    using prepared = found.prepare();
    this.watch(() => {
      withVariant(family, winner.variant, prepared.run);
    });
  }
}

async function measureProblem(
  device: Device,
  { family, candidates, prepare }: Found,
): Promise<Winner> {
  using prepared = prepare();
  const bodies = (names: readonly string[]): Record<string, () => void> =>
    Object.fromEntries(
      names.map((name) => [
        name,
        () => {
          withVariant(family, name, prepared.run);
        },
      ]),
    );
  const first = await measure(device, bodies(candidates), {
    tickShare: 0.1,
    rounds: 1,
    budgetMs: 1,
  });
  const times = candidates.map((name) => [name, first[name]?.leastMs ?? Infinity] as const);
  const best = Math.min(...times.map(([, time]) => time));
  const hopeful = times.filter(([, time]) => time <= hopeless * best).map(([name]) => name);
  const timings = await measure(device, bodies(hopeful), { rounds: 5, budgetMs: 300 });
  const milliseconds = Object.fromEntries(times);
  for (const name of hopeful) milliseconds[name] = timings[name]?.leastMs ?? Infinity;
  return { variant: winnerOf(candidates, milliseconds), milliseconds };
}

/** The fastest; the usual one, which is the first, unless another one is clearly faster. */
function winnerOf(
  candidates: readonly string[],
  milliseconds: Readonly<Record<string, number>>,
): string {
  const time = (name: string): number => milliseconds[name] ?? Infinity;
  const fastest = candidates.reduce((a, b) => (time(b) < time(a) ? b : a));
  const [usual = fastest] = candidates;
  return time(fastest) < worthwhile * time(usual) ? fastest : usual;
}

/**
 * Numbers in [-1, 1), from a generator of its own: tuning must not change a seeded run. Kept, because measuring waits, and a scope must
 * not be open meanwhile.
 */
function randomLike(device: Device, shape: Shape, dtype: DType): Tensor {
  using _scope = openScope();
  const numbers = randomUniform(shape, { min: -1, max: 1, device, generator: new Generator(0) });
  return keep(dtype === "f32" ? numbers : cast(numbers, dtype));
}
