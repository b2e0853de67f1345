/** @file Images looked up through homographies, and lightened, on the device. Formula: `shaders/augment/aug-transforms.wgsl`. */
import source from "../../shaders/augment/aug-transforms.wgsl";
import {
  defineKernel,
  defineOp,
  formatShape,
  linearGrid,
  ShapeError,
  tensor,
  type Tensor,
} from "../../engine/index.ts";
import { padModes, type PadMode } from "../vision/rgb-image.ts";
import { checkImages } from "./check-images.ts";
import type { ImageSize, Matrix3 } from "./homography.ts";

export const sampleModes = ["bilinear", "nearest"] as const;

/** How a number is found between pixels. */
export type SampleMode = (typeof sampleModes)[number];

/** How one image of the result comes from one image of x. */
export interface View {
  /** From pixels of the result to pixels of x. */
  readonly matrix: Matrix3;
  /** Added to the logits of the pixels; 0 changes nothing. */
  readonly brightness: number;
  /** What the logits are multiplied by, after that; 1 changes nothing. */
  readonly contrast: number;
  /** How far the logits are from their grey, after that; 1 changes nothing. Other numbers are for three channels only. */
  readonly saturation: number;
}

export interface SampleOptions {
  /** Of the result. */
  readonly size: ImageSize;
  readonly mode: SampleMode;
  readonly padMode: PadMode;
  readonly alignCorners: boolean;
}

const kernel = defineKernel({
  name: "aug-transforms",
  source,
  grid: ({ pixels }) => linearGrid(pixels as number, 64),
});

/** x and the table of views, whose layout the shader describes. */
const sampleOp = defineOp<readonly [x: Tensor, views: Tensor], SampleOptions>({
  name: "augTransforms",
  output: ([x], { size }) => ({ shape: [x.shape[0] ?? 0, ...size, x.shape[3] ?? 0] }),
  forward: ([x, views], out, { mode, padMode, alignCorners }) => {
    const [, height = 0, width = 0, channels = 1] = x.shape;
    const [, outHeight = 0, outWidth = 0] = out.shape;
    const params = {
      pixels: out.size / channels,
      ...{ height, width, out_height: outHeight, out_width: outWidth, channels },
      samples_y: samplesAlong(height, outHeight, mode),
      samples_x: samplesAlong(width, outWidth, mode),
      padding: padModes.indexOf(padMode),
      align_corners: alignCorners ? 1 : 0,
      nearest: mode === "nearest" ? 1 : 0,
    };
    const CHUNK = [4, 3, 2].find((count) => channels % count === 0) ?? 1;
    kernel({ x, views, out }, params, { overrides: { CHUNK } });
    return {};
  },
  gradient: null,
});

/** Bilinear samples lie at most two pixels of x apart, as far as the resizing goes: so none of its pixels is skipped. */
function samplesAlong(size: number, outSize: number, mode: SampleMode): number {
  return mode === "nearest" ? 1 : Math.max(1, Math.ceil(size / outSize / 2));
}

/**
 * One image of the result for each of x, `[n, ...size, channels]`.
 *
 * @param x images [n, height, width, channels], f32, pixels from 0 to 1 where a view changes the lighting.
 * @param views one for each image.
 * @throws ShapeError, DTypeError when x is something else, or has no three channels where the saturation changes.
 */
export function sampleImages(x: Tensor, views: readonly View[], options: SampleOptions): Tensor {
  checkImages("augTransforms", x);
  if (x.shape[3] !== 3 && views.some(({ saturation }) => saturation !== 1)) {
    throw new ShapeError(
      "augTransforms",
      `saturation is a matter of three channels: ${formatShape(x.shape)}`,
      "Leave out maxSaturation",
    );
  }
  const table = tensor(Float32Array.from(views.flatMap(wordsOf)), { device: x.device });
  const out = sampleOp([x, table], options);
  table.release("augTransforms");
  return out;
}

/** `contrast (logit + brightness)` as the shader computes it, with logarithms to the base of 2. */
function wordsOf({ matrix, brightness, contrast, saturation }: View): number[] {
  const offset = contrast * brightness * Math.LOG2E;
  return [...matrix[0], contrast, ...matrix[1], offset, ...matrix[2], saturation];
}
