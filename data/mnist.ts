/**
 * @file MNIST: 60,000 + 10,000 handwritten digits, 28 x 28 grey pixels, from the four IDX files in which it is published.
 *
 * Source: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition", 1998.
 */
import { ArgumentError, formatShape } from "../engine/index.ts";
import { ArrayDataset } from "./dataset.ts";
import { decodeIdx, type IdxArray } from "./formats/idx.ts";
import type { ChannelStats } from "./transforms.ts";

/** Mean and standard deviation of the training images' pixels, as fractions of full scale: for `normalize`. */
export const mnistStats: ChannelStats = { mean: [0.1307], std: [0.3081] };

/** The names under which the files are published; compressed ones end in `.gz`. */
export const mnistFiles = {
  train: { images: "train-images-idx3-ubyte", labels: "train-labels-idx1-ubyte" },
  test: { images: "t10k-images-idx3-ubyte", labels: "t10k-labels-idx1-ubyte" },
} as const;

/** Images `[n, height, width, 1]` and their labels `[n]`, both in bytes. */
export type GreyImageDataset = ArrayDataset<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>;

/** The two parts of MNIST. */
export interface Mnist {
  /** 60,000 digits to learn from. */
  readonly train: GreyImageDataset;
  /** 10,000 digits, by other writers, to measure with. */
  readonly test: GreyImageDataset;
}

/**
 * One part of MNIST, or of a set in the same form (Fashion-MNIST, KMNIST), from the bytes of its two IDX files, not compressed.
 *
 * @throws ArgumentError when the files are damaged or do not hold images and labels in bytes.
 * @throws ShapeError when there are not as many labels as images.
 */
export function decodeMnist(images: Uint8Array, labels: Uint8Array): GreyImageDataset {
  const x = bytesOfRank(3, decodeIdx(images, "the images' file"), "images");
  const y = bytesOfRank(1, decodeIdx(labels, "the labels' file"), "labels");
  return new ArrayDataset({ x: { shape: [...x.shape, 1], data: x.data }, y });
}

function bytesOfRank(rank: number, { shape, data }: IdxArray, what: string) {
  if (shape.length === rank && data instanceof Uint8Array) return { shape, data };
  throw new ArgumentError(
    "decodeMnist",
    `the ${what} are ${data.constructor.name} of shape ${formatShape(shape)}`,
    `Pass a file of bytes with ${rank} ${rank === 1 ? "axis" : "axes"}`,
  );
}
