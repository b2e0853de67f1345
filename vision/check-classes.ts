/** @file Whether a model's results and the classes of its data are as many. */
import type { Label } from "../data/index.ts";
import { ArgumentError } from "../engine/index.ts";

/**
 * Each result belongs to a class: with another number of them, labels would be given to the wrong ones. A vocab without classes fits all.
 *
 * @param results the model's for one image.
 * @throws ArgumentError when they are not as many as the classes.
 */
export function checkClasses(op: string, results: number, vocab: readonly Label[]): void {
  if (vocab.length === 0 || results === vocab.length) return;
  throw new ArgumentError(
    op,
    `the model's results are not as many as the classes: ${results} for an image, ${vocab.length} in the vocab`,
    "Leave numClasses out when you make the model, or give the data a vocab with all classes",
  );
}
