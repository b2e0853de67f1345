/** @file The digits that a trained network gets most wrong, as a picture. */
import type { GreyImageDataset } from "../../../data/index.ts";
import { rasterizeSvg } from "../../../data/node.ts";
import { contactSheetSvg } from "./contact-sheet.ts";
import { verdicts, worstOf, type Verdict } from "./worst.ts";

/**
 * A contact sheet as PNG, the highest loss first.
 *
 * @param test the digits that were classified.
 * @param probabilities of their classes, `[n, classes]`, row-major, in the dataset's order.
 * @param count how many are shown. Default: 36.
 * @throws ShapeError when the probabilities do not fit the test set.
 */
export function plotWorstDigits(
  test: GreyImageDataset,
  probabilities: ArrayLike<number>,
  count = 36,
): Promise<Uint8Array<ArrayBuffer>> {
  const all = verdicts(probabilities, test.y.data);
  const isWrong = ({ label, prediction }: Verdict) => label !== prediction;
  const wrong = all.filter(isWrong).length;
  const shown = worstOf(all, count);
  const counts = `${wrong.toLocaleString("en")} of ${all.length.toLocaleString("en")} are wrong`;
  const sheet = contactSheetSvg({
    dataset: test,
    verdicts: shown,
    title: shown.every(isWrong)
      ? `The ${shown.length} test digits it gets most wrong`
      : `The ${shown.length} test digits with the highest loss`,
    subtitle: `${counts}. Highest loss first. Upper p: probability of the true digit; lower p: of the answer.`,
  });
  return rasterizeSvg(sheet);
}
