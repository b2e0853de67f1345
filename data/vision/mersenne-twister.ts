/** @file The Mersenne Twister MT19937 and PyTorch's permutation: what makes a split the same as in fastai. */
import { ArgumentError } from "../../engine/index.ts";

const stateSize = 624;
const middle = 397;

/**
 * The generator MT19937: 32 bits a call, period 2^19937 - 1; PyTorch's generator on the CPU, and NumPy's `RandomState`. It is here to
 * repeat what was drawn there. For everything else there is `Xoshiro128`.
 *
 * Source: M. Matsumoto, T. Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998), seeded as in their version of 2002/1/26.
 */
export class MersenneTwister {
  readonly #state = new Uint32Array(stateSize);
  #next = stateSize;

  /**
   * @param seed - a whole number from 0 to 2^32 - 1.
   * @throws ArgumentError for any other.
   */
  constructor(seed: number) {
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
      throw new ArgumentError(
        "MersenneTwister",
        `the seed is not a whole number of 32 bits: ${seed}`,
        "Use 0 to 2^32 - 1",
      );
    }
    let word = seed;
    this.#state[0] = word;
    for (let i = 1; i < stateSize; i++) {
      word = (Math.imul(1812433253, word ^ (word >>> 30)) + i) >>> 0;
      this.#state[i] = word;
    }
  }

  /** The next 32 bits, from 0 to 2^32 - 1. */
  nextUint32(): number {
    if (this.#next === stateSize) this.#twist();
    let word = this.#state[this.#next++] ?? 0;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c5680;
    word ^= (word << 15) & 0xefc60000;
    return (word ^ (word >>> 18)) >>> 0;
  }

  /** `x[i] = x[i + 397] ^ A (upper bit of x[i], lower bits of x[i + 1])` for all words in turn. */
  #twist(): void {
    const state = this.#state;
    const at = (i: number) => state[i % stateSize] ?? 0;
    for (let i = 0; i < stateSize; i++) {
      const joined = (at(i) & 0x80000000) | (at(i + 1) & 0x7fffffff);
      state[i] = at(i + middle) ^ (joined >>> 1) ^ (joined & 1 ? 0x9908b0df : 0);
    }
    this.#next = 0;
  }
}

/**
 * The numbers from 0 to `count - 1` in the order of PyTorch's `randperm(count)` on the CPU after `manual_seed(seed)`: for each i in turn,
 * element i is exchanged with element `i + z`, `z = next 32 bits mod (count - i)`.
 *
 * @param count - below 2^32 / 20, from where on PyTorch draws in another way.
 * @throws ArgumentError for a count or seed outside its range.
 */
export function torchPermutation(count: number, seed: number): Uint32Array<ArrayBuffer> {
  if (!Number.isInteger(count) || count < 0 || count >= 2 ** 32 / 20) {
    throw new ArgumentError(
      "torchPermutation",
      `the count is out of range: ${count}`,
      "Use a whole number below 2^32 / 20",
    );
  }
  const random = new MersenneTwister(seed);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = 0; i < count - 1; i++) {
    const other = i + (random.nextUint32() % (count - i));
    const moved = order[i] ?? 0;
    order[i] = order[other] ?? 0;
    order[other] = moved;
  }
  return order;
}
