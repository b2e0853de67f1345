/**
 * @file Several kernels for one problem. A family lists the variants that can run it, the one it expects to be fastest first;
 * a test or a benchmark may ask for another one.
 */

/** What a choice looks at: a `Device`, or whoever asks what one would choose. */
export interface Abilities {
  readonly adapter: {
    /** Shaders run on the CPU. */
    readonly software: boolean;
  };
  /** Invocations run in lockstep groups of exactly `size`. */
  hasSubgroupsOf(size: number): boolean;
}

/** At least one variant; the one expected to be fastest first. */
export type Candidates<V extends string> = readonly [V, ...V[]];

const asked = new Map<string, string>();

/**
 * Runs `body` with the kernels of a family ("matmul", "conv2d", "conv2dInputGradient", "conv2dWeightGradient") replaced by one
 * variant, wherever that can run; elsewhere the usual choice stays.
 */
export function withVariant<T>(family: string, variant: string, body: () => T): T {
  const before = asked.get(family);
  asked.set(family, variant);
  try {
    return body();
  } finally {
    if (before === undefined) asked.delete(family);
    else asked.set(family, before);
  }
}

/** The first candidate, or the one that `withVariant` asks for if it is among them. */
export function chooseVariant<V extends string>(family: string, candidates: Candidates<V>): V {
  const wanted = asked.get(family);
  return candidates.find((candidate) => candidate === wanted) ?? candidates[0];
}
