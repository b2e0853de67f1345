/** @file Splitters: which items train and which validate. Source of names and rules: fastai, `data/transforms.py`. */
import { ArgumentError } from "../../engine/index.ts";
import { torchPermutation } from "./mersenne-twister.ts";

/** Indices of items, in the order in which they are used. */
export interface Split {
  readonly train: Uint32Array<ArrayBuffer>;
  readonly valid: Uint32Array<ArrayBuffer>;
}

/** Divides items, given as paths, without looking into them. */
export type Splitter = (items: readonly string[]) => Split;

export interface RandomSplitterOptions {
  /** Fraction of the items that validates, rounded down to whole items. Default: 0.2. */
  readonly validPct?: number;
  /** A whole number from 0 to 2^32 - 1. Default: 0; fastai's default is a split that nobody can repeat. */
  readonly seed?: number;
}

/**
 * A random split, bit for bit that of fastai's `RandomSplitter` for the same seed and order of items: of PyTorch's permutation the first
 * `int(validPct n)` validate.
 *
 * @throws ArgumentError for a fraction outside [0, 1) or a seed outside its range.
 */
export function randomSplitter({ validPct = 0.2, seed = 0 }: RandomSplitterOptions = {}): Splitter {
  if (!(validPct >= 0 && validPct < 1)) {
    throw new ArgumentError(
      "randomSplitter",
      `validPct is no fraction from 0 to 1: ${validPct}`,
      "Use 0.2 for a fifth",
    );
  }
  torchPermutation(0, seed);
  return ({ length }) => {
    const order = torchPermutation(length, seed);
    const cut = Math.trunc(validPct * length);
    return { train: order.slice(cut), valid: order.slice(0, cut) };
  };
}

export interface GrandparentSplitterOptions {
  /** Folder of the items that train. Default: "train". */
  readonly train?: string;
  /** Folder of the items that validate. Default: "valid". */
  readonly valid?: string;
}

/**
 * A split by the name of the folder above the item's folder: `.../train/cat/1.jpg`. Items elsewhere belong to neither, as in fastai.
 */
export function grandparentSplitter(options: GrandparentSplitterOptions = {}): Splitter {
  const { train = "train", valid = "valid" } = options;
  return (items) => {
    const under = (folder: string) =>
      Uint32Array.from(
        items.flatMap((item, i) => (item.split(/[\\/]/).at(-3) === folder ? [i] : [])),
      );
    return { train: under(train), valid: under(valid) };
  };
}
