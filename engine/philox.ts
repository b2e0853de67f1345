/**
 * @file Random numbers that are a pure function of a key and a counter, on the host; `shaders/random/philox.wgsl` is the same on
 * the device. Pure, no GPU.
 *
 * Source: Salmon, Moraes, Dror and Shaw, Parallel random numbers: as easy as 1, 2, 3 (SC 2011), Philox4x32-10.
 */
import { ArgumentError } from "./errors.ts";

/** Four 32-bit words. */
export type Words4 = readonly [number, number, number, number];

const rounds = 10;
const multipliers = [0xd2511f53, 0xcd9e8d57] as const;
/** The golden ratio and the square root of 3, less 1, as 32-bit fractions: they change the key from round to round. */
const keySteps = [0x9e3779b9, 0xbb67ae85] as const;

/** Four random words for a counter and a key. Every counter gives different ones. */
export function philox4x32([c0, c1, c2, c3]: Words4, [k0, k1]: readonly [number, number]): Words4 {
  let counter: Words4 = [c0, c1, c2, c3];
  for (let round = 0; round < rounds; round++) {
    const [low0, high0] = wideProduct(multipliers[0], counter[0]);
    const [low1, high1] = wideProduct(multipliers[1], counter[2]);
    const key0 = (k0 + round * keySteps[0]) % 2 ** 32;
    const key1 = (k1 + round * keySteps[1]) % 2 ** 32;
    counter = [(high1 ^ counter[1] ^ key0) >>> 0, low1, (high0 ^ counter[3] ^ key1) >>> 0, low0];
  }
  return counter;
}

/** All 64 bits of the product of two 32-bit words. */
function wideProduct(a: number, b: number): [low: number, high: number] {
  // 16 bits of b at a time: each product has 48 bits, which float64 holds exactly.
  const lower = a * (b & 0xffff);
  const upper = a * (b >>> 16) + Math.floor(lower / 2 ** 16);
  return [Math.imul(a, b) >>> 0, Math.floor(upper / 2 ** 16)];
}

/** Where a generator stands; plain numbers, so that it can be written to a file and a run resumed. */
export interface GeneratorState {
  readonly seed: number;
  /** Blocks of four words consumed so far. */
  readonly counter: number;
}

/**
 * A source of random numbers: a seed and a counter. Every draw takes the next blocks of four words of the counter, however it is
 * computed, so the same seed and the same sequence of draws give the same numbers.
 */
export class Generator {
  #seed = 0;
  #counter = 0;

  /** Throws `ArgumentError` unless the seed is a whole number from 0 to 2^53 - 1. Default: 0. */
  constructor(seed = 0) {
    this.state = { seed, counter: 0 };
  }

  get state(): GeneratorState {
    return { seed: this.#seed, counter: this.#counter };
  }

  /** Throws `ArgumentError` unless both are whole numbers from 0 to 2^53 - 1. */
  set state({ seed, counter }: GeneratorState) {
    checkWhole("seed", seed);
    checkWhole("counter", counter);
    this.#seed = seed;
    this.#counter = counter;
  }

  /** Starts over with another seed. */
  manualSeed(seed: number): this {
    this.state = { seed, counter: 0 };
    return this;
  }

  /** Reserves `blocks` blocks of four words; the result is where they begin. */
  take(blocks: number): GeneratorState {
    const before = this.state;
    this.state = { seed: before.seed, counter: before.counter + blocks };
    return before;
  }

  /** The next `count` random words, computed on the host. */
  words(count: number): Uint32Array<ArrayBuffer> {
    const blocks = Math.ceil(count / 4);
    const { seed, counter } = this.take(blocks);
    const result = new Uint32Array(4 * blocks);
    for (let i = 0; i < blocks; i++) {
      const [low, high] = halves(counter + i);
      result.set(philox4x32([low, high, 0, 0], halves(seed)), 4 * i);
    }
    return result.subarray(0, count);
  }
}

/** The two 32-bit words of a whole number below 2^53, low word first. */
export function halves(value: number): [low: number, high: number] {
  return [value % 2 ** 32, Math.floor(value / 2 ** 32)];
}

function checkWhole(name: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new ArgumentError(
      "Generator",
      `the ${name} is not a whole number from 0 to 2^53 - 1: ${value}`,
      "Use for example 42, or Date.now() for numbers that differ from run to run",
    );
  }
}

const defaultSource = new Generator();

/** The generator that everything random uses when none is named. It starts with seed 0, so programs repeat themselves. */
export function defaultGenerator(): Generator {
  return defaultSource;
}

/** Seeds the default generator, as PyTorch's function does. Returns it. Throws `ArgumentError` for an impossible seed. */
export function manualSeed(seed: number): Generator {
  return defaultSource.manualSeed(seed);
}

/**
 * The numbers `0..count-1` in random order, on the host, for loaders: Fisher and Yates' shuffle. Each index is drawn as
 * `floor(u * n)` from a 32-bit u, so its bias is below n / 2^32.
 */
export function randomPermutation(
  count: number,
  options: { readonly generator?: Generator } = {},
): Uint32Array<ArrayBuffer> {
  const { generator = defaultSource } = options;
  const words = generator.words(count);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(((words[i] ?? 0) / 2 ** 32) * (i + 1));
    [order[i], order[j]] = [order[j] ?? 0, order[i] ?? 0];
  }
  return order;
}
