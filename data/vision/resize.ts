/** @file Resize and RandomResizedCrop, by fastai's rules. Source: fastai, `vision/augment.py`. */
import { ArgumentError } from "../../engine/index.ts";
import type { Json } from "../batch-transform.ts";
import type { ItemTransform, Placement, PlacementContext, Size } from "./item-transform.ts";
import { padModes, type PadMode } from "./rgb-image.ts";

/** A side of a square, or `[height, width]`, in pixels. */
export type SizeArgument = number | readonly [height: number, width: number];

const methods = ["crop", "squish", "pad"] as const;

/** Cut out the largest part of the wanted proportions; ignore proportions; pad to the wanted proportions. */
export type ResizeMethod = (typeof methods)[number];

export interface ResizeOptions {
  /** Default: "crop". */
  readonly method?: ResizeMethod;
  /** What is beyond the picture, for "pad". Default: "reflection". */
  readonly padMode?: PadMode;
}

/**
 * Brings every image to one size. With "crop" and "pad" the position is random in training, along the axis that has room, and the
 * middle in validation and prediction: a model of chapter 1 sees shifted images though it asked for no augmentation.
 *
 *     m = min(w / width, h / height), "pad": max
 *     box = int(m width) x int(m height) at int(p (w - box width)), int(q (h - box height)); p, q in [0, 1), or 0.5
 */
export class Resize implements ItemTransform {
  readonly name = "Resize";
  readonly size: Size;
  readonly method: ResizeMethod;
  readonly padMode: PadMode;

  /** @throws ArgumentError for a size that is no whole number of pixels, or a method or pad mode that does not exist. */
  constructor(size: SizeArgument, { method = "crop", padMode = "reflection" }: ResizeOptions = {}) {
    this.size = sizeOf("Resize", size);
    checkOneOf("method", method, methods);
    checkOneOf("padMode", padMode, padModes);
    this.method = method;
    this.padMode = padMode;
  }

  get settings(): Readonly<Record<string, Json>> {
    const { width, height } = this.size;
    return { size: [height, width], method: this.method, padMode: this.padMode };
  }

  place({ width, height }: Size, { training, random }: PlacementContext): Placement {
    const resized = this.size;
    if (this.method === "squish") return { box: { left: 0, top: 0, width, height }, resized };
    const pick = this.method === "pad" ? Math.max : Math.min;
    const m = pick(width / resized.width, height / resized.height);
    // A picture much longer than wide may have room for less than a pixel.
    const boxWidth = Math.max(1, Math.trunc(m * resized.width));
    const boxHeight = Math.max(1, Math.trunc(m * resized.height));
    const [p, q] = training ? [random.uniform(), random.uniform()] : [0.5, 0.5];
    const left = Math.trunc(p * (width - boxWidth));
    const top = Math.trunc(q * (height - boxHeight));
    const box = { left, top, width: boxWidth, height: boxHeight };
    return { box, resized, padMode: this.padMode };
  }
}

export interface RandomResizedCropOptions {
  /** Smallest part of the picture's area. Default: 0.08. */
  readonly minScale?: number;
  /** Limits of width / height. Default: [3 / 4, 4 / 3]. */
  readonly ratio?: readonly [least: number, most: number];
  /** How much larger than wanted the picture becomes in validation, before its middle is cut out. Default: 0.14. */
  readonly valXtra?: number;
}

/**
 * In training a box of random area, proportions and place, resized. In validation the whole picture, proportions ignored, resized to
 * somewhat more than the size, and the middle of that.
 *
 * Source of the idea: C. Szegedy et al., "Going deeper with convolutions", CVPR 2015.
 */
export class RandomResizedCrop implements ItemTransform {
  readonly name = "RandomResizedCrop";
  readonly size: Size;
  readonly minScale: number;
  readonly ratio: readonly [number, number];
  readonly valXtra: number;

  /** @throws ArgumentError for a size, scale, ratio or margin outside its range. */
  constructor(size: SizeArgument, options: RandomResizedCropOptions = {}) {
    const { minScale = 0.08, ratio = [3 / 4, 4 / 3], valXtra = 0.14 } = options;
    this.size = sizeOf("RandomResizedCrop", size);
    const fits = minScale > 0 && minScale <= 1 && valXtra >= 0 && Number.isFinite(valXtra);
    if (!fits || !(ratio[0] > 0 && ratio[0] <= ratio[1] && ratio[1] < Infinity)) {
      throw new ArgumentError(
        "RandomResizedCrop",
        `minScale ${minScale}, ratio [${ratio.join(", ")}] or valXtra ${valXtra} is out of range`,
        "Use 0 < minScale <= 1, 0 < ratio[0] <= ratio[1], valXtra >= 0",
      );
    }
    this.minScale = minScale;
    this.ratio = ratio;
    this.valXtra = valXtra;
  }

  get settings(): Readonly<Record<string, Json>> {
    const { size, minScale, ratio, valXtra } = this;
    return { size: [size.height, size.width], minScale, ratio, valXtra };
  }

  place(source: Size, { training, random }: PlacementContext): Placement {
    if (!training) return this.#wholePicture(source);
    const { width, height } = source;
    for (let attempt = 0; attempt < 10; attempt++) {
      const area = (this.minScale + (1 - this.minScale) * random.uniform()) * width * height;
      const [least, most] = [Math.log(this.ratio[0]), Math.log(this.ratio[1])];
      const ratio = Math.exp(least + (most - least) * random.uniform());
      const boxWidth = Math.round(Math.sqrt(area * ratio));
      const boxHeight = Math.round(Math.sqrt(area / ratio));
      if (boxWidth < 1 || boxHeight < 1 || boxWidth > width || boxHeight > height) continue;
      const left = random.below(width - boxWidth + 1);
      const top = random.below(height - boxHeight + 1);
      return { box: { left, top, width: boxWidth, height: boxHeight }, resized: this.size };
    }
    return this.#largestMiddle(source);
  }

  #wholePicture({ width, height }: Size): Placement {
    const { size, valXtra } = this;
    const extra = Math.ceil((Math.max(size.width, size.height) * valXtra) / 8) * 8;
    const resized = { width: size.width + extra, height: size.height + extra };
    return { box: { left: 0, top: 0, width, height }, resized, centre: size };
  }

  /** For pictures whose proportions hardly any box fits into. */
  #largestMiddle({ width, height }: Size): Placement {
    const [least, most] = this.ratio;
    const boxWidth = Math.max(1, Math.min(width, Math.trunc(height * most)));
    const boxHeight = Math.max(1, Math.min(height, Math.trunc(width / least)));
    const left = Math.floor((width - boxWidth) / 2);
    const top = Math.floor((height - boxHeight) / 2);
    return { box: { left, top, width: boxWidth, height: boxHeight }, resized: this.size };
  }
}

function sizeOf(op: string, size: SizeArgument): Size {
  const [height, width] = typeof size === "number" ? [size, size] : size;
  if (![height, width].every((side) => Number.isSafeInteger(side) && side >= 1)) {
    throw new ArgumentError(
      op,
      `the size is no whole number of pixels: ${height} x ${width}`,
      "Use 224, or [height, width]",
    );
  }
  return { width, height };
}

function checkOneOf(name: string, value: string, known: readonly string[]): void {
  if (!known.includes(value)) {
    throw new ArgumentError(
      "Resize",
      `there is no ${name} ${value}`,
      `Use one of ${known.join(", ")}`,
    );
  }
}
