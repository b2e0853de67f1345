/** @file The vocabulary: classes in a fixed order, and labels as their indices. */
import { ArgumentError } from "../../engine/index.ts";

/** What a label may be; all labels of a data set are of one type. */
export type Label = string | boolean | number;

/**
 * The different labels in Python's order, so that class indices are those of fastai: strings by code points (capitals first), numbers by
 * size, false before true.
 *
 * @throws ArgumentError when labels have different types, or a number is NaN.
 */
export function vocabOf(labels: Iterable<Label>): readonly Label[] {
  const vocab = [...new Set(labels)];
  const types = new Set(vocab.map((label) => typeof label));
  if (types.size > 1 || vocab.some((label) => Number.isNaN(label))) {
    throw new ArgumentError(
      "vocabOf",
      `the labels cannot be put in order: they are of the types ${[...types].join(", ")}`,
      "Return labels of one type, and no NaN",
    );
  }
  return vocab.sort(compareLabels);
}

function compareLabels(a: Label, b: Label): number {
  if (typeof a === "string" && typeof b === "string") return compareCodePoints(a, b);
  return Number(a) - Number(b);
}

/**
 * Order of strings by code points, as Python has it, and the same on every machine. JavaScript's `<` compares UTF-16 units, which puts
 * U+10000 and above before U+E000.
 */
export function compareCodePoints(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  if (i === a.length || i === b.length) return a.length - b.length;
  return unitRank(a.charCodeAt(i)) - unitRank(b.charCodeAt(i));
}

/** Surrogates stand for code points above all that have one unit. */
function unitRank(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit;
}

/** Labels to class indices. */
export class Categorize {
  readonly vocab: readonly Label[];
  readonly #indices: ReadonlyMap<Label, number>;

  /** @throws ArgumentError when a class occurs twice. */
  constructor(vocab: readonly Label[]) {
    this.vocab = vocab;
    this.#indices = new Map(vocab.map((label, i) => [label, i]));
    if (this.#indices.size !== vocab.length) {
      throw new ArgumentError(
        "Categorize",
        `a class occurs twice in the vocabulary: ${vocab.join(", ")}`,
        "Name each once",
      );
    }
  }

  /**
   * @param item - where the label came from, for the error.
   * @throws ArgumentError when the label is none of the classes.
   */
  indexOf(label: Label, item: string): number {
    const index = this.#indices.get(label);
    if (index !== undefined) return index;
    throw new ArgumentError(
      "Categorize",
      `the label ${JSON.stringify(label)} of ${item} is not among the ${this.vocab.length} classes of the training set: ${shorten(this.vocab)}`,
      "Correct the label, move an example of it into the training set, or pass a vocab that has it",
    );
  }
}

const shown = 12;

function shorten(vocab: readonly Label[]): string {
  const names = vocab.slice(0, shown).join(", ");
  return vocab.length > shown ? `${names}, ...` : names;
}
