/** @file What a classifier gets wrong, as pictures. Node only. */
import { imagesOf, pictureGrid, rasterizeSvg, type ImageDataLoaders } from "../../data/node.ts";
import { confusionSvg } from "./confusion-picture.ts";
import type { ClassificationInterpretation, JudgedImage } from "./interpretation.ts";

/** The confusion matrix as PNG: rows are what images are of, columns what they were taken for. */
export function plotConfusionMatrix(
  interpretation: ClassificationInterpretation,
): Promise<Uint8Array<ArrayBuffer>> {
  return rasterizeSvg(confusionSvg(interpretation));
}

/**
 * The images with the largest losses as PNG, the worst first. Above each one: what it was taken for, what it is, both with the
 * probability that the model gave them, and the loss.
 *
 * @param dls whose validation set was judged.
 */
export async function plotTopLosses(
  interpretation: ClassificationInterpretation,
  dls: ImageDataLoaders,
  count = 9,
): Promise<Uint8Array<ArrayBuffer>> {
  const worst = interpretation.topLosses(count);
  const batch = await dls.valid.batchOf(
    Uint32Array.from(worst, ({ item }) => item),
    0,
  );
  const shown = await imagesOf(dls, batch);
  return pictureGrid(
    shown.map(({ image }, i) => {
      const judged = worst[i];
      return { image, title: judged === undefined ? "" : titleOf(interpretation, judged) };
    }),
  );
}

/** `dog 0.98` / `is cat 0.02` / `loss 3.91`. */
function titleOf(interpretation: ClassificationInterpretation, judged: JudgedImage): string {
  const { predicted, actual, predictedProbability, actualProbability, loss } = judged;
  return [
    `${interpretation.nameOf(predicted)} ${predictedProbability.toFixed(2)}`,
    `is ${interpretation.nameOf(actual)} ${actualProbability.toFixed(2)}`,
    `loss ${loss.toFixed(2)}`,
  ].join("\n");
}
