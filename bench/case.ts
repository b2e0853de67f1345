/** @file What a benchmark case is: work of known size on inputs of its own, with a reference that says whether the result is right. */
import type { Device, Tensor } from "../engine/index.ts";

/** What limits a kernel that is as good as it can be: arithmetic, or moving its bytes. */
export type Bound = "compute" | "memory";

/** The work that the mathematics asks for, not what a variant happens to do. */
export interface Work {
  readonly bound: Bound;
  /** Additions and multiplications; of a convolution, those of the direct one. */
  readonly flops: number;
  /** Bytes that must move: every input is read once and every output written once for each pass that the op cannot avoid. */
  readonly bytes: number;
}

export interface Prepared {
  /** Records the work; the result is checked. Everything else that it makes is left to its scope. */
  readonly run: () => Tensor;
  /** The elements of the result that are checked, in float64. */
  readonly check: Check;
}

/** A reference in float64 for some or all elements of the result. */
export interface Check {
  /** Element number `index` of the result. */
  readonly expected: (index: number) => number;
  /** How many elements to look at: all when undefined. The first and the last are always among them. */
  readonly samples?: number;
  /** Largest allowed |result - reference| / (1 + |reference|). */
  readonly tolerance: number;
}

export interface BenchCase {
  /** The limits, "matmul", "convolution": what `--suite` chooses by. */
  readonly suite: string;
  readonly op: string;
  readonly shape: string;
  /** The family of kernels it belongs to, if it has variants. */
  readonly family?: string;
  readonly work: Work;
  /** Names of the variants that can run it, the one that would be chosen first. Default: one without a name. */
  variants?(device: Device): readonly string[];
  /** Makes the inputs. They are kept until the case ends. */
  prepare(device: Device): Prepared;
}
