/** @file Labels of files: by a function, and their classes as the loaders need them. */
import { ArgumentError } from "../../engine/index.ts";
import type { Split } from "./splitters.ts";
import { Categorize, vocabOf, type Label } from "./vocab.ts";

/** Gives the label of a file. */
export type LabelFunction = (name: string) => Label;

/**
 * The label of each file.
 *
 * @param nameOf what of the path the function sees.
 * @throws ArgumentError, with the file's name, when the function throws or returns no label.
 */
export function labelsOf(
  files: readonly string[],
  labelFunc: LabelFunction,
  nameOf: (file: string) => string,
): readonly Label[] {
  return files.map((file) => {
    const label: unknown = callLabelFunction(labelFunc, nameOf(file), file);
    if (typeof label === "string" || typeof label === "boolean" || typeof label === "number") {
      return label;
    }
    throw new ArgumentError(
      "labelFunc",
      `the label function returned no label for ${file}: ${String(label)}`,
      "Return a text, a number, true or false",
    );
  });
}

function callLabelFunction(labelFunc: LabelFunction, name: string, file: string): Label {
  try {
    return labelFunc(name);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ArgumentError(
      "labelFunc",
      `the label function failed for ${file}: ${reason}`,
      "Handle this name, or leave the file out",
    );
  }
}

/**
 * The label function of a pattern: its group 1, of the first place where it fits.
 *
 * @throws ArgumentError when a name does not fit, or the pattern has no group.
 */
export function regexLabel(pattern: RegExp): LabelFunction {
  // With g or y a pattern would go on where it stopped in the name before.
  const once = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, ""));
  return (name) => {
    const label = once.exec(name)?.[1];
    if (label !== undefined) return label;
    throw new ArgumentError(
      "regexLabel",
      `${String(pattern)} finds no group 1 in ${JSON.stringify(name)}`,
      "Write a pattern with a group in parentheses that fits all names",
    );
  };
}

/** Files of one side of a split, with their classes. */
export interface LabelledFiles {
  readonly files: readonly string[];
  readonly classes: Int32Array<ArrayBuffer>;
}

export interface LabelledSplit {
  readonly vocab: readonly Label[];
  readonly train: LabelledFiles;
  readonly valid: LabelledFiles;
}

/**
 * Labels to classes. The vocabulary is that of the training files, unless one is given.
 *
 * @throws ArgumentError when a label is not in it; the error names the file.
 */
export function categorize(
  files: readonly string[],
  labels: readonly Label[],
  split: Split,
  vocab?: readonly Label[],
): LabelledSplit {
  const labelled = (indices: Uint32Array) =>
    Array.from(indices, (i) => ({ file: files[i] ?? "", label: labels[i] ?? "" }));
  const train = labelled(split.train);
  const map = new Categorize(vocab ?? vocabOf(train.map(({ label }) => label)));
  const side = (items: typeof train): LabelledFiles => ({
    files: items.map(({ file }) => file),
    classes: Int32Array.from(items, ({ file, label }) => map.indexOf(label, file)),
  });
  return { vocab: map.vocab, train: side(train), valid: side(labelled(split.valid)) };
}
