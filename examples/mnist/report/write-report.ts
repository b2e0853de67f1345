/** @file Everything that a finished run leaves in its folder besides the weights. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { GreyImageDataset } from "../../../data/index.ts";
import { contactSheetSvg } from "./contact-sheet.ts";
import { epochsCsv, stepsCsv, type TrainingHistory } from "./history.ts";
import { rasterizeSvg } from "../../../data/node.ts";
import { verdicts, worstOf, type Verdict } from "./worst.ts";

export interface ReportOptions {
  /** Where the files go; made if it is missing. */
  readonly directory: string;
  readonly history: TrainingHistory;
  /** The digits that were classified after training. */
  readonly test: GreyImageDataset;
  /** Class probabilities of the test digits, `[n, classes]`, row-major, in the dataset's order. */
  readonly probabilities: ArrayLike<number>;
  /** Digits on the contact sheet. Default: 36. */
  readonly worstCount?: number;
}

/**
 * Writes `history.csv`, `steps.csv` and `worst-digits.png`. Returns their paths in this order.
 *
 * @throws ShapeError when the probabilities do not fit the test set.
 */
export async function writeReport(options: ReportOptions): Promise<string[]> {
  const { directory, history } = options;
  const files: readonly (readonly [name: string, content: string | Uint8Array])[] = [
    ["history.csv", epochsCsv(history)],
    ["steps.csv", stepsCsv(history)],
    ["worst-digits.png", await rasterizeSvg(worstDigitsSvg(options))],
  ];
  await mkdir(directory, { recursive: true });
  const written = files.map(async ([name, content]) => {
    const path = join(directory, name);
    await writeFile(path, content);
    return path;
  });
  return Promise.all(written);
}

function worstDigitsSvg({ test, probabilities, worstCount = 36 }: ReportOptions): string {
  const all = verdicts(probabilities, test.y.data);
  const isWrong = ({ label, prediction }: Verdict) => label !== prediction;
  const wrong = all.filter(isWrong).length;
  const shown = worstOf(all, worstCount);
  const counts = `${wrong.toLocaleString("en")} of ${all.length.toLocaleString("en")} are wrong`;
  return contactSheetSvg({
    dataset: test,
    verdicts: shown,
    title: shown.every(isWrong)
      ? `The ${shown.length} test digits it gets most wrong`
      : `The ${shown.length} test digits with the highest loss`,
    subtitle: `${counts}. Highest loss first. Upper p: probability of the true digit; lower p: of the answer.`,
  });
}
