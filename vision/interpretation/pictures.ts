/** @file What a classifier gets wrong, as pictures. Node only. */
import {
  imagesOf,
  pictureGrid,
  rasterizeSvg,
  type ImageDataLoaders,
  type TitledImage,
  type TitleLine,
} from "../../data/node.ts";
import { ArgumentError } from "../../engine/index.ts";
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
 * ```ts
 * const interpretation = new ClassificationInterpretation(await learn.getPreds(dls.train), learn.vocab);
 * await writeFile("top-losses.png", await plotTopLosses(interpretation, dls));
 * ```
 * @param dls whose transforms make the pictures, as in validation. Which images these are, the interpretation knows: those of the loader
 * that was judged.
 * @param count how many, at most. Default: 9.
 * @throws ArgumentError when the interpretation does not know its images, or the count is no whole number >= 1.
 */
export async function plotTopLosses(
  interpretation: ClassificationInterpretation,
  dls: PictureData,
  count = 9,
): Promise<Uint8Array<ArrayBuffer>> {
  return pictureGrid(await topLossImages(interpretation, dls, count));
}

/** Transforms for pictures, and what undoes the normalisation: `ImageDataLoaders`. */
export type PictureData = Pick<ImageDataLoaders, "testLoader" | "pipeline">;

/** What `plotTopLosses` draws. Errors as there. */
export async function topLossImages(
  interpretation: ClassificationInterpretation,
  dls: PictureData,
  count: number,
): Promise<TitledImage[]> {
  const { items } = interpretation;
  if (items === undefined) {
    throw new ArgumentError(
      "plotTopLosses",
      "it is not known which images were judged: items undefined",
      "Use what getPreds of a VisionLearner gave, or add the images: { ...predictions, items: dls.valid.items }",
    );
  }
  if (!Number.isSafeInteger(count) || count < 1) {
    throw new ArgumentError("plotTopLosses", `there is nothing to show: count ${count}`, "Use 9");
  }
  const worst = interpretation.topLosses(count);
  const loader = dls.testLoader(worst.map(({ item }) => items[item] ?? ""));
  const batch = await loader.batchOf(
    Uint32Array.from(worst, (_, i) => i),
    0,
  );
  const shown = await imagesOf(dls, batch);
  return worst.flatMap((judged, i) => {
    const image = shown[i]?.image;
    return image === undefined ? [] : [{ image, title: titleOf(interpretation, judged) }];
  });
}

/** `dog 0.98` / `is cat 0.02` / `loss 3.91`. */
function titleOf(
  interpretation: ClassificationInterpretation,
  { predicted, actual, predictedProbability, actualProbability, loss }: JudgedImage,
): TitleLine[] {
  return [
    { text: String(interpretation.nameOf(predicted)), number: predictedProbability.toFixed(2) },
    { text: `is ${interpretation.nameOf(actual)}`, number: actualProbability.toFixed(2) },
    { text: "loss", number: loss.toFixed(2) },
  ];
}
