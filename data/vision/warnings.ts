/** @file What is no error but seldom wanted. */
import type { LabelledSplit } from "./labels.ts";

/**
 * @param lost files that are in neither part of the split.
 * @param bs images in a batch of training.
 */
export function warningsOf(
  { vocab, train, valid }: LabelledSplit,
  lost: readonly string[],
  bs: number,
): readonly string[] {
  const repeated = firstRepeated([...train.files, ...valid.files]);
  return [
    vocab.length === 1 &&
      `there is only one class, ${String(vocab[0])}: a model has nothing to tell apart. Look at the label function`,
    valid.files.length === 0 && "there are no images for validation: nothing will be measured",
    train.files.length < bs &&
      `there are fewer training images than a batch has: ${train.files.length} of ${bs}. They make one smaller batch`,
    lost.length > 0 &&
      `files that neither train nor validate: ${lost.length}, the first is ${lost[0] ?? ""}`,
    repeated !== undefined &&
      `a file occurs more than once, so that it may both train and validate: ${repeated}`,
    (bs === 1 || train.files.length === 1) &&
      "a training batch has one image: batch norm behind pooling makes it the same whatever it shows. Use bs of 2 or more",
  ].filter((text) => text !== false);
}

function firstRepeated(files: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return files.find((file) => seen.size === seen.add(file).size);
}
