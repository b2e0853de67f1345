/** @file Random flips, rotations, zooms, perspectives and lighting of whole batches, as fastai's `aug_transforms`. */
import { ArgumentError, type Tensor } from "../../engine/index.ts";
import type { BatchTransform } from "../batch-transform.ts";
import type { Xoshiro128 } from "../random.ts";
import { padModes, type PadMode } from "../vision/rgb-image.ts";
import { checkImages } from "./check-images.ts";
import type { ImageSize } from "./homography.ts";
import { drawView, viewOf, type ViewRanges } from "./random-views.ts";
import { ResizeBatch } from "./resize-batch.ts";
import { sampleImages, sampleModes, type SampleMode } from "./sample-images.ts";

export interface AugTransformsOptions {
  /** Multiplies maxRotate, maxLighting and maxWarp. Default: 1. */
  readonly mult?: number;
  /** Mirror every second image, left to right. Default: true. */
  readonly doFlip?: boolean;
  /** Not only mirror but turn: every second image becomes one of its eight symmetries. Needs `doFlip`. Default: false. */
  readonly flipVert?: boolean;
  /** Degrees, in both directions. Default: 10. */
  readonly maxRotate?: number;
  /** The least enlargement, above 0; below 1 the image shrinks. Default: 1. */
  readonly minZoom?: number;
  /** The greatest enlargement. Default: 1.1. */
  readonly maxZoom?: number;
  /** The part by which brightness and contrast change at most, from 0 to below 1 (after `mult`). Default: 0.2. */
  readonly maxLighting?: number;
  /** The part by which colours become stronger or weaker at most, 0 to below 1; not in `mult`. For three channels. Default: 0. */
  readonly maxSaturation?: number;
  /** How far a corner moves at most in perspective, as a part of half the image; from 0 to below 0.5 (after `mult`). Default: 0.2. */
  readonly maxWarp?: number;
  /** The probability of each: the warp along x, along y, the rotation, the zoom. Default: 0.75. */
  readonly pAffine?: number;
  /** The probability of each: brightness, contrast, saturation. Default: 0.75. */
  readonly pLighting?: number;
  /** Pixels of the result, one number for a square; batches of validation are resized, too. Default: as x. */
  readonly size?: number | ImageSize;
  /** Default: "bilinear". */
  readonly mode?: SampleMode;
  /** What is seen beyond the image. Default: "reflection". */
  readonly padMode?: PadMode;
  /** True: the centres of the outermost pixels stay where they are when an image is resized; false: their outer edges. Default: true. */
  readonly alignCorners?: boolean;
  /** The same draws for all images of a batch. Default: false. */
  readonly batch?: boolean;
  /** Below 1: `size` is cut from a random square with at least this part of the image's area. Default: 1, no crop. */
  readonly minScale?: number;
}

type Settings = Required<Omit<AugTransformsOptions, "size">> & { readonly size: ImageSize | null };

const defaults: Settings = {
  mult: 1,
  doFlip: true,
  flipVert: false,
  maxRotate: 10,
  minZoom: 1,
  maxZoom: 1.1,
  maxLighting: 0.2,
  maxSaturation: 0,
  maxWarp: 0.2,
  pAffine: 0.75,
  pLighting: 0.75,
  size: null,
  mode: "bilinear",
  padMode: "reflection",
  alignCorners: true,
  batch: false,
  minScale: 1,
};

/**
 * Usual random changes of photographs: flip, perspective, rotation, zoom, brightness, contrast, and saturation if asked for, all in one pass over a batch. Source:
 * fastai, `aug_transforms`, whose names, defaults, distributions and order of matrices these are. Differences:
 *
 * - Where an image shrinks more than twice, each pixel is the mean of bilinear samples at most two pixels apart; fastai averages areas
 *   before it samples.
 * - The square of `minScale` is drawn for each image, unless `batch` is set; fastai draws one for the batch.
 * - Where the lighting does not change, pixels are not touched; fastai's go to logits and back.
 *
 * For pixels from 0 to 1, before they are normalized. Batches of validation are only resized, if `size` is given: squeezed, or with
 * `minScale` the largest square in the middle.
 *
 * @returns the transforms for a loader: of order 30 the random one, for training only, unless nothing is left to do; of order 31 with `size`
 *   the one that resizes what has another size.
 * @throws ArgumentError for options outside their domain.
 */
export function augTransforms(options: AugTransformsOptions = {}): BatchTransform[] {
  const settings = settingsOf(options);
  checkSettings(settings);
  const { size, mode, padMode, alignCorners, minScale } = settings;
  const ranges = rangesOf(settings);
  const transforms: BatchTransform[] = doesNothing(ranges)
    ? []
    : [new AugTransforms(settings, ranges)];
  if (size !== null) {
    transforms.push(
      new ResizeBatch({ size, mode, padMode, alignCorners, centralSquare: minScale < 1 }),
    );
  }
  return transforms;
}

class AugTransforms implements BatchTransform {
  readonly name = "AugTransforms";
  readonly order = 30;
  readonly trainingOnly = true;
  readonly settings: Settings;
  readonly #ranges: ViewRanges;

  constructor(settings: Settings, ranges: ViewRanges) {
    this.settings = settings;
    this.#ranges = ranges;
  }

  /** @throws ShapeError, DTypeError unless x is f32 [n, height, width, channels]. */
  apply(x: Tensor, random: Xoshiro128): Tensor {
    checkImages("augTransforms", x);
    const { batch, alignCorners } = this.settings;
    const [count = 0, height = 0, width = 0] = x.shape;
    const own: ImageSize = [height, width];
    const size = this.settings.size ?? own;
    const draw = () => drawView(this.#ranges, own, random);
    const common = batch ? draw() : undefined;
    const views = Array.from({ length: count }, () =>
      viewOf(common ?? draw(), own, size, alignCorners),
    );
    return sampleImages(x, views, { ...this.settings, size });
  }
}

function settingsOf({ size, ...options }: AugTransformsOptions): Settings {
  const square = typeof size === "number" ? ([size, size] as const) : (size ?? null);
  return { ...defaults, ...options, size: square };
}

function rangesOf(settings: Settings): ViewRanges {
  const { mult, maxRotate, maxLighting, maxWarp } = settings;
  return {
    ...settings,
    maxRotate: maxRotate * mult,
    maxLighting: maxLighting * mult,
    maxWarp: maxWarp * mult,
  };
}

function doesNothing(ranges: ViewRanges): boolean {
  const { doFlip, maxRotate, maxWarp, minZoom, maxZoom, minScale } = ranges;
  const lights = ranges.maxLighting !== 0 || ranges.maxSaturation !== 0;
  const turns = doFlip || minScale !== 1 || minZoom !== 1 || maxZoom !== 1;
  return !turns && !lights && maxRotate === 0 && maxWarp === 0;
}

function checkSettings(settings: Settings): void {
  const { minZoom, maxZoom, pAffine, pLighting, size, minScale, mode, padMode } = settings;
  const { maxRotate, maxLighting, maxSaturation, maxWarp } = rangesOf(settings);
  const wholeSize = size?.every((side) => Number.isSafeInteger(side) && side >= 1) ?? true;
  const rules: readonly (readonly [boolean, string, string])[] = [
    [within(maxRotate, 0, Infinity), `maxRotate * mult is ${maxRotate}`, "Use degrees >= 0"],
    [
      minZoom > 0 && minZoom <= maxZoom && Number.isFinite(maxZoom),
      `the zooms are ${minZoom} to ${maxZoom}`,
      "Use minZoom above 0 and up to maxZoom",
    ],
    [
      within(maxLighting, 0, 1),
      `maxLighting * mult is ${maxLighting}`,
      "Use 0 to below 1; usual is 0.2",
    ],
    [
      within(maxSaturation, 0, 1),
      `maxSaturation is ${maxSaturation}`,
      "Use 0 to below 1; usual is 0.2",
    ],
    [within(maxWarp, 0, 0.5), `maxWarp * mult is ${maxWarp}`, "Use 0 to below 0.5; usual is 0.2"],
    [isProbability(pAffine), `pAffine is ${pAffine}`, "Use 0 to 1"],
    [isProbability(pLighting), `pLighting is ${pLighting}`, "Use 0 to 1"],
    [wholeSize, `size is [${size?.join(", ") ?? ""}]`, "Use whole numbers >= 1"],
    [minScale > 0 && minScale <= 1, `minScale is ${minScale}`, "Use above 0 to 1"],
    [minScale === 1 || size !== null, `minScale is ${minScale} without a size`, "Pass size"],
    [sampleModes.includes(mode), `mode is ${mode}`, `Use one of ${sampleModes.join(", ")}`],
    [padModes.includes(padMode), `padMode is ${padMode}`, `Use one of ${padModes.join(", ")}`],
  ];
  const broken = rules.find(([holds]) => !holds);
  if (broken === undefined) return;
  const [, wrong, fix] = broken;
  throw new ArgumentError("augTransforms", `an option is outside its domain: ${wrong}`, fix);
}

function within(value: number, low: number, above: number): boolean {
  return value >= low && value < above;
}

function isProbability(p: number): boolean {
  return p >= 0 && p <= 1;
}
