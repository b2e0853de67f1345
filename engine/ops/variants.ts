/**
 * @file Several kernels for one problem. A family lists its variants and which it expects to be fastest where; a test, a benchmark or
 * the tuner may ask for another one.
 */
import type { Tensor } from "../tensor.ts";

/** What a choice looks at: a `Device`, or whoever asks what one would choose. */
export interface Abilities {
  readonly adapter: {
    /** Shaders run on the CPU. */
    readonly software: boolean;
  };
  /** Invocations run in lockstep groups of exactly `size`. */
  hasSubgroupsOf(size: number): boolean;
}

/** The tensors of a problem, inputs and output, by name. */
export type Operands = Readonly<Record<string, Tensor | undefined>>;

/** One way to compute a problem. */
export interface Variant<T extends Operands, P> {
  /** Stem of its .wgsl, for example "subgroup". */
  readonly name: string;
  /** Whether it can compute the problem there, fast or slowly. */
  readonly canRun: (device: Abilities, problem: P) => boolean;
  /** Records the dispatches that fill the output. */
  readonly run: (tensors: T, problem: P) => void;
}

export interface FamilyDefinition<T extends Operands, P> {
  /** For example "conv2dInputGradient". */
  readonly name: string;
  /** From the plainest, which can run everything, to the most special. */
  readonly variants: readonly [Variant<T, P>, ...Variant<T, P>[]];
  /** Names of variants, the one expected to be fastest first; those that cannot run are passed over. */
  readonly prefer: (device: Abilities, problem: P) => readonly string[];
  /** The problem in words, the same for problems that take the same time: see `problemKey`. */
  readonly describe: (problem: P) => string;
}

/** Kernels that compute the same. */
export interface Family<T extends Operands, P> extends FamilyDefinition<T, P> {
  /** Names of the variants that can run the problem, the one expected to be fastest first. */
  readonly candidates: (device: Abilities, problem: P) => readonly string[];
  /** Runs the variant that `withVariant` asks for, else the tuned one, else the one expected to be fastest. */
  readonly run: (device: Abilities, tensors: T, problem: P) => void;
}

/** Winners that were measured: the name of a variant by family and description of the problem. */
export type Winners = (family: string, problem: string) => string | undefined;

/** Is told of every problem that runs. */
export type ProblemObserver = <T extends Operands, P>(
  family: Family<T, P>,
  tensors: T,
  problem: P,
) => void;

const asked = new Map<string, string>();
const winners = new WeakMap<Abilities, Winners>();
let observer: ProblemObserver | undefined;

/** Makes a family of its definition. */
export function defineFamily<T extends Operands, P>(
  definition: FamilyDefinition<T, P>,
): Family<T, P> {
  const family: Family<T, P> = {
    ...definition,
    candidates: (device, problem) => candidatesOf(definition, device, problem),
    run: (device, tensors, problem) => {
      observer?.(family, tensors, problem);
      choose(definition, device, tensors, problem).run(tensors, problem);
    },
  };
  return family;
}

function candidatesOf<T extends Operands, P>(
  { variants, prefer }: FamilyDefinition<T, P>,
  device: Abilities,
  problem: P,
): readonly string[] {
  const able = variants.filter((variant) => variant.canRun(device, problem)).map((v) => v.name);
  const preferred = prefer(device, problem).filter((name) => able.includes(name));
  return [...preferred, ...able.filter((name) => !preferred.includes(name))];
}

function choose<T extends Operands, P>(
  definition: FamilyDefinition<T, P>,
  device: Abilities,
  tensors: T,
  problem: P,
): Variant<T, P> {
  const { name, variants, prefer } = definition;
  const pinned = asked.size > 0 ? able(variants, asked.get(name), device, problem) : undefined;
  if (pinned !== undefined) return pinned;
  const measured = winners.get(device);
  const winner = measured?.(name, problemKey(definition, tensors, problem));
  const best = able(variants, winner, device, problem);
  if (best !== undefined) return best;
  for (const preferred of prefer(device, problem)) {
    const variant = able(variants, preferred, device, problem);
    if (variant !== undefined) return variant;
  }
  return variants[0];
}

/** The variant called `name`, if it can run the problem. */
function able<T extends Operands, P>(
  variants: readonly Variant<T, P>[],
  name: string | undefined,
  device: Abilities,
  problem: P,
): Variant<T, P> | undefined {
  if (name === undefined) return undefined;
  for (const variant of variants) {
    if (variant.name === name) return variant.canRun(device, problem) ? variant : undefined;
  }
  return undefined;
}

/** What winners are remembered by: the problem in words, and the element type unless it is f32. */
export function problemKey<T extends Operands, P>(
  { describe }: FamilyDefinition<T, P>,
  tensors: T,
  problem: P,
): string {
  for (const name in tensors) {
    const dtype = tensors[name]?.dtype;
    if (dtype !== undefined) return `${describe(problem)}${dtype === "f32" ? "" : ` ${dtype}`}`;
  }
  return describe(problem);
}

/**
 * Runs `body` with the kernels of a family ("matmul", "conv2d", "conv2dInputGradient", "conv2dWeightGradient") replaced by one
 * variant, wherever that can run; elsewhere the usual choice stays.
 */
export function withVariant<R>(family: string, variant: string, body: () => R): R {
  const before = asked.get(family);
  asked.set(family, variant);
  try {
    return body();
  } finally {
    if (before === undefined) asked.delete(family);
    else asked.set(family, before);
  }
}

/** Lets measured winners decide on a device; undefined ends it. */
export function setWinners(device: Abilities, measured: Winners | undefined): void {
  if (measured === undefined) winners.delete(device);
  else winners.set(device, measured);
}

/** Tells `observe` of every problem that runs; the result ends it. One at a time: a second one takes its turn in between. */
export function observeProblems(observe: ProblemObserver): () => void {
  const before = observer;
  observer = observe;
  return () => {
    observer = before;
  };
}
