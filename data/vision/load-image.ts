/** @file Where images come from, and how one of them is loaded. */
import { ArgumentError } from "../../engine/index.ts";
import { placeRgb, type ItemTransform, type PlacementContext } from "./item-transform.ts";
import { checkRgbImage, type RgbImage } from "./rgb-image.ts";

/** A file's path, the bytes of a file, or pixels. */
export type ImageSource = string | Uint8Array | RgbImage;

/** Decodes an image and carries out the transforms, one after another. Errors name the image. */
export type LoadImage = (
  source: ImageSource,
  transforms: readonly ItemTransform[],
  context: PlacementContext,
) => Promise<RgbImage>;

/** The `LoadImage` of places without files and decoder, for example a browser, where a canvas decodes: it takes pixels only. */
export const loadPixels: LoadImage = (source, transforms, context) =>
  Promise.resolve().then(() => {
    if (typeof source === "string" || source instanceof Uint8Array) {
      throw new ArgumentError(
        "loadPixels",
        `only pixels can be loaded here, not ${sourceName(source, 0)}`,
        "Decode it first, or use wgrad/data/node",
      );
    }
    checkRgbImage("loadPixels", source);
    return placeAll(source, transforms, context);
  });

/** Carries out the transforms, one after another. */
export function placeAll(
  image: RgbImage,
  transforms: readonly ItemTransform[],
  context: PlacementContext,
): RgbImage {
  return transforms.reduce((x, transform) => placeRgb(x, transform.place(x, context)), image);
}

/** What an image is called in errors. */
export function sourceName(source: ImageSource, index: number): string {
  if (typeof source === "string") return source;
  return source instanceof Uint8Array
    ? `image ${index} (${source.length} bytes)`
    : `image ${index} (${source.width} x ${source.height} pixels)`;
}
