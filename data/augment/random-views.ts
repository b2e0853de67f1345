/** @file The dice of `augTransforms`: what happens to one image, and the view that comes of it. No GPU. */
import type { Xoshiro128 } from "../random.ts";
import {
  compose,
  cropping,
  dihedral,
  forAspect,
  fromUnit,
  identity,
  normalized,
  rotation,
  toUnit,
  warping,
  zooming,
  type Box,
  type ImageSize,
  type Matrix3,
} from "./homography.ts";
import type { View } from "./sample-images.ts";

/** The ranges to draw from; `mult` is already in them. */
export interface ViewRanges {
  readonly doFlip: boolean;
  readonly flipVert: boolean;
  readonly maxRotate: number;
  readonly minZoom: number;
  readonly maxZoom: number;
  readonly maxLighting: number;
  readonly maxSaturation: number;
  readonly maxWarp: number;
  readonly pAffine: number;
  readonly pLighting: number;
  readonly minScale: number;
}

/** What was drawn for one image. */
export interface Draws {
  /** See `dihedral`. */
  readonly symmetry: number;
  readonly warpX: number;
  readonly warpY: number;
  readonly degrees: number;
  readonly zoom: number;
  readonly zoomX: number;
  readonly zoomY: number;
  readonly brightness: number;
  readonly contrast: number;
  readonly saturation: number;
  /** Undefined for the whole image. */
  readonly crop: Box | undefined;
}

export const noDraws: Draws = {
  ...{ symmetry: 0, warpX: 0, warpY: 0, degrees: 0, zoom: 1, zoomX: 0.5, zoomY: 0.5 },
  ...{ brightness: 0, contrast: 1, saturation: 1, crop: undefined },
};

/**
 * Draws for an image of this size. Distributions, each with its own coin of probability p:
 *
 *     flip        p = 1/2: mirrored, or one of the eight symmetries
 *     warpX, Y    uniform in -maxWarp..maxWarp
 *     degrees     uniform in -maxRotate..maxRotate
 *     zoom        uniform in minZoom..maxZoom, its centre anywhere in the image
 *     brightness  logit(u), u uniform in (1 - maxLighting) / 2..(1 + maxLighting) / 2
 *     contrast    exp(u), u uniform in ln(1 - maxLighting)..-ln(1 - maxLighting)
 *     saturation  the same with maxSaturation
 *
 * Source: fastai, vision/augment.py, aug_transforms.
 */
export function drawView(ranges: ViewRanges, size: ImageSize, random: Xoshiro128): Draws {
  const { doFlip, flipVert, maxRotate, minZoom, maxZoom, maxLighting, maxWarp } = ranges;
  const { maxSaturation, pAffine, pLighting, minScale } = ranges;
  const maybe = (p: number, low: number, high: number, neutral: number): number => {
    const [coin, place] = [random.uniform(), random.uniform()];
    return coin < p ? low + (high - low) * place : neutral;
  };
  const flips = random.uniform() < 0.5 && doFlip;
  const eighth = random.below(8);
  const symmetry = !flips ? 0 : flipVert ? eighth : 1;
  const warpX = maybe(pAffine, -maxWarp, maxWarp, 0);
  const warpY = maybe(pAffine, -maxWarp, maxWarp, 0);
  const degrees = maybe(pAffine, -maxRotate, maxRotate, 0);
  const zoom = maybe(pAffine, minZoom, maxZoom, 1);
  const [zoomX, zoomY] = [random.uniform(), random.uniform()];
  const light = maybe(pLighting, (1 - maxLighting) / 2, (1 + maxLighting) / 2, 0.5);
  const factor = (most: number): number =>
    Math.exp(maybe(pLighting, Math.log1p(-most), -Math.log1p(-most), 0));
  const contrast = factor(maxLighting);
  const saturation = factor(maxSaturation);
  const crop = minScale === 1 ? undefined : drawCrop(minScale, size, random);
  const brightness = Math.log(light / (1 - light));
  return {
    ...{
      symmetry,
      warpX,
      warpY,
      degrees,
      zoom,
      zoomX,
      zoomY,
      brightness,
      contrast,
      saturation,
      crop,
    },
  };
}

const attempts = 10;

/**
 * A square of `u` times the image's area, u uniform in minScale..1, anywhere in the image. If ten of them do not fit, the largest square in
 * the middle. Source: fastai, RandomResizedCropGPU with the ratio 1.
 */
function drawCrop(minScale: number, image: ImageSize, random: Xoshiro128): Box {
  const [height, width] = image;
  for (let i = 0; i < attempts; i++) {
    const part = minScale + (1 - minScale) * random.uniform();
    const side = Math.max(1, Math.round(Math.sqrt(part * width * height)));
    if (side > width || side > height) continue;
    const top = random.below(height - side + 1);
    const left = random.below(width - side + 1);
    return { top, left, height: side, width: side };
  }
  return centralSquare(image);
}

/** The largest one. */
export function centralSquare([height, width]: ImageSize): Box {
  const side = Math.min(height, width);
  const [top, left] = [Math.floor((height - side) / 2), Math.floor((width - side) / 2)];
  return { top, left, height: side, width: side };
}

/**
 * A pixel of the result, in unit coordinates, is looked up at
 *
 *     warp (symmetry rotation zoom) crop p
 *
 * Source: fastai, where affine matrices are multiplied in this order, coordinates warped after that, and a crop is taken from the result.
 */
export function viewOf(
  draws: Draws,
  size: ImageSize,
  outSize: ImageSize,
  alignCorners: boolean,
): View {
  const { brightness, contrast, saturation, crop } = draws;
  const cropped = crop === undefined ? identity : cropping(crop, size, alignCorners);
  const matrix = compose(
    fromUnit(size, alignCorners),
    geometryOf(draws, size),
    cropped,
    toUnit(outSize, alignCorners),
  );
  const [height, width] = outSize;
  const centered = normalized(matrix, (width - 1) / 2, (height - 1) / 2);
  return { matrix: centered, brightness, contrast, saturation };
}

function geometryOf(draws: Draws, size: ImageSize): Matrix3 {
  const { symmetry, warpX, warpY, degrees, zoom, zoomX, zoomY } = draws;
  const affine = compose(dihedral(symmetry), rotation(degrees), zooming(zoom, zoomX, zoomY));
  return compose(warping(warpX, warpY), forAspect(affine, size));
}
