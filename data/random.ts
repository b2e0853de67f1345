/** @file Random numbers on the host, for shuffling and augmentation: explicit objects with a seed, never a global state. */
import { ArgumentError } from "../engine/index.ts";

/**
 * The generator xoshiro128**: 32 bits a call, period 2^128 - 1. Only 32-bit integer arithmetic, so the same seed gives the
 * same numbers on every machine. Not for secrets.
 *
 * Source: D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", ACM TOMS 47 (2021), version 1.1 of
 * https://prng.di.unimi.it/xoshiro128starstar.c; seeded through SplitMix64 as the authors advise.
 */
export class Xoshiro128 {
  readonly #state: Uint32Array;

  /**
   * @param seed - a whole number from 0 to 2^53 - 1.
   * @param stream - numbers independent of those of other streams with the same seed, for example the epoch. Default: 0.
   */
  constructor(seed: number, stream = 0) {
    checkWhole("Xoshiro128", "seed", seed);
    checkWhole("Xoshiro128", "stream", stream);
    this.#state = new Uint32Array(BigUint64Array.from(splitMix64(seed, stream)).buffer);
  }

  /** A generator in a given state, four words that are not all zero. */
  static fromState(words: readonly [number, number, number, number]): Xoshiro128 {
    if (!words.some((word) => word >>> 0 !== 0)) {
      throw new ArgumentError(
        "Xoshiro128.fromState",
        "all words are zero",
        "Pass at least one other word",
      );
    }
    const random = new Xoshiro128(0);
    random.#state.set(words);
    return random;
  }

  /** The next 32 bits, from 0 to 2^32 - 1. */
  nextUint32(): number {
    const [s0 = 0, s1 = 0, s2 = 0, s3 = 0] = this.#state;
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const t2 = s2 ^ s0;
    const t3 = s3 ^ s1;
    this.#state[0] = s0 ^ t3;
    this.#state[1] = s1 ^ t2;
    this.#state[2] = t2 ^ (s1 << 9);
    this.#state[3] = rotateLeft(t3, 11);
    return result;
  }

  /** A number in [0, 1), a multiple of 2^-32. */
  uniform(): number {
    return this.nextUint32() * 2 ** -32;
  }

  /** A whole number from 0 to `count - 1`, each equally likely; `count` from 1 to 2^32. */
  below(count: number): number {
    if (!Number.isInteger(count) || count < 1 || count > 2 ** 32) {
      throw new ArgumentError(
        "Xoshiro128.below",
        `the count is out of range: ${count}`,
        "Use 1 to 2^32",
      );
    }
    // Numbers of the last, incomplete run of `count` would make small results likelier: draw again.
    const completeRuns = 2 ** 32 - (2 ** 32 % count);
    let drawn = this.nextUint32();
    while (drawn >= completeRuns) drawn = this.nextUint32();
    return drawn % count;
  }

  /**
   * The numbers from 0 to `count - 1` in random order, each order equally likely as far as 128 bits of state go.
   * Source: R. Durstenfeld, "Algorithm 235: Random permutation", CACM 7 (1964).
   */
  permutation(count: number): Uint32Array<ArrayBuffer> {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let last = count - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const moved = order[last] ?? 0;
      order[last] = order[other] ?? 0;
      order[other] = moved;
    }
    return order;
  }
}

/** The stream of something within an epoch, `index` below 2^32; the epoch's order has the stream `epoch`, below all of these. */
export function streamWithin(epoch: number, index: number): number {
  return (epoch + 1) * 2 ** 32 + index;
}

function checkWhole(op: string, name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ArgumentError(
      op,
      `the ${name} is not a whole number >= 0: ${value}`,
      "Use 0 to 2^53 - 1",
    );
  }
}

function rotateLeft(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

const goldenGamma = 0x9e3779b97f4a7c15n;
const mask64 = 0xffffffffffffffffn;

/**
 * The first two outputs of SplitMix64 started at `mix(seed + gamma) + stream`: seeds that differ by little give unrelated states,
 * and so do streams.
 *
 * Source: G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014;
 * https://prng.di.unimi.it/splitmix64.c.
 */
function splitMix64(seed: number, stream: number): [bigint, bigint] {
  const start = mix64(BigInt(seed) + goldenGamma) + BigInt(stream);
  return [mix64(start + goldenGamma), mix64(start + 2n * goldenGamma)];
}

/** The output function of SplitMix64, a bijection of 64 bits. */
function mix64(value: bigint): bigint {
  let z = value & mask64;
  z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & mask64;
  z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & mask64;
  return z ^ (z >> 31n);
}
