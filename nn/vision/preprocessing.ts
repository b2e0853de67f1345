/**
 * @file What published weights expect their images to be, and how to make them take what all others take: the change of scale and
 * of the order of channels moves into the first convolution.
 *
 * So there is one normalization for all networks, `imagenetStats`, as in fastai, and whoever fine-tunes does it once, in one visible
 * place. It also suits Adam, whose steps are of one size for all weights: with pixels in 0..255 a step of the first convolution would
 * change its results a hundred times as much as with pixels of size 1.
 */
import { ArgumentError } from "../../engine/index.ts";
import type { ImportableState } from "../state-dict.ts";

type Channels = readonly [number, number, number];

/** `(x - mean) / std` for each channel of x, which is R, G, B in 0..1. */
export interface Normalization {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Mean and standard deviation of the photos of ImageNet, R, G, B in 0..1, as torchvision and fastai have them. */
export const imagenetStats = {
  mean: [0.485, 0.456, 0.406],
  std: [0.229, 0.224, 0.225],
} as const satisfies Normalization;

/** What was done to images before a network saw them: pixels in 0..scale, reordered, then `(pixel - mean) / std`. */
export interface Preprocessing {
  /** Height and width in pixels that the network was evaluated with. */
  readonly size: number;
  /** Which channel came first. */
  readonly channelOrder: "rgb" | "bgr";
  /** The value of the brightest pixel. */
  readonly scale: 1 | 255;
  /** In the units of `scale`, in the order `channelOrder`. */
  readonly mean: Channels;
  /** In the units of `scale`, in the order `channelOrder`. */
  readonly std: Channels;
}

/** A convolution's tensors in PyTorch's axis order: weight [out, 3, height, width], bias [out]. */
export interface Convolution {
  readonly weight: ImportableState;
  readonly bias: ImportableState | undefined;
}

/**
 * The convolution that gives, for images normalized by `imagenetStats`, what `convolution` gives for images that went through
 * `preprocessing`. With u the normalized channel k of R, G, B that the network knows as its channel c:
 *
 *     (scale (std'_k u + mean'_k) - mean_c) / std_c  =  factor_c u + offset_c
 *     weight'[o, k] = weight[o, c] factor_c          bias'[o] = bias[o] + sum over c, r, s of weight[o, c, r, s] offset_c
 *
 * That is exact for a convolution without padding only: a padded zero means the mean colour to one network, black or another
 * colour to the other.
 *
 * @param padding of the convolution, in pixels on each side.
 * @throws ArgumentError when offsets would go into a convolution that has padding or no bias, or the weight has not 3 channels.
 */
export function foldPreprocessing(
  { weight, bias }: Convolution,
  preprocessing: Preprocessing,
  padding: number,
): Convolution {
  const { factors, offsets } = affineChange(preprocessing);
  const shifts = offsets.some((offset) => Math.abs(offset) > 1e-6);
  checkFoldable(weight, shifts && padding > 0, shifts && bias === undefined);
  const [out = 0] = weight.shape;
  const taps = weight.data.length / (3 * out);
  const folded = new Float32Array(weight.data.length);
  const shifted = Float64Array.from({ length: out }, (_, o) => Number(bias?.data[o] ?? 0));
  for (let o = 0; o < out; o++) {
    for (let c = 0; c < 3; c++) {
      const k = preprocessing.channelOrder === "bgr" ? 2 - c : c;
      for (let t = 0; t < taps; t++) {
        const value = Number(weight.data[(o * 3 + c) * taps + t]);
        folded[(o * 3 + k) * taps + t] = value * (factors[c] ?? NaN);
        shifted[o] = (shifted[o] ?? NaN) + value * (offsets[c] ?? NaN);
      }
    }
  }
  return {
    weight: { dtype: "F32", shape: weight.shape, data: folded },
    bias: bias && { dtype: "F32", shape: bias.shape, data: Float32Array.from(shifted) },
  };
}

/** Whether images are normalized by `imagenetStats` and nothing else, so that there is nothing to fold. */
export function isImagenetStandard({ channelOrder, scale, mean, std }: Preprocessing): boolean {
  return (
    channelOrder === "rgb" &&
    scale === 1 &&
    mean.every((value, c) => value === imagenetStats.mean[c]) &&
    std.every((value, c) => value === imagenetStats.std[c])
  );
}

/** `factor_c` and `offset_c` of `foldPreprocessing`, in the network's order of channels. */
function affineChange({ channelOrder, scale, mean, std }: Preprocessing) {
  const inOrder = (channels: Channels): Channels =>
    channelOrder === "bgr" ? [channels[2], channels[1], channels[0]] : channels;
  const ourMean = inOrder(imagenetStats.mean);
  const ourStd = inOrder(imagenetStats.std);
  return {
    factors: std.map((s, c) => (scale * (ourStd[c] ?? NaN)) / s),
    offsets: std.map((s, c) => (scale * (ourMean[c] ?? NaN) - (mean[c] ?? NaN)) / s),
  };
}

function checkFoldable(weight: ImportableState, padded: boolean, noBias: boolean): void {
  const { shape } = weight;
  if (!padded && !noBias && shape.length === 4 && shape[1] === 3) return;
  const problem = padded
    ? "the convolution has padding, so another mean is no change of its weights"
    : noBias
      ? "the convolution has no bias that could take another mean"
      : "the weight is not of a convolution of 3 channels";
  throw new ArgumentError(
    "foldPreprocessing",
    `${problem}: weight [${shape.join(", ")}]`,
    "Preprocess the images as the weights expect, and load the weights by importStateDict",
  );
}
