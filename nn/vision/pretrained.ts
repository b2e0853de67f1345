/**
 * @file Published weights: where they are, what names their tensors have, and what their images were like. The files themselves
 * are read by `wgrad/data`.
 */
import { imagenetStats, type Preprocessing } from "./preprocessing.ts";

/** Weights that somebody trained, and what one must know to use them. */
export interface Pretrained {
  /** Where the file can be fetched; undefined when it has no lasting address. */
  readonly url?: string;
  readonly fileName: string;
  /** The first hexadecimal digits of the file's SHA-256; torchvision's file names end with 8 of them. */
  readonly sha256: string;
  /** What images must be for the weights as they are in the file. `loadPretrained` makes them take images like all others. */
  readonly preprocessing: Preprocessing;
  readonly numClasses: number;
  /** torchvision's name for a name of the file. Default: the same. */
  readonly rename?: (name: string) => string;
  /** Pixels of zeros around the last convolution of SqueezeNet. Default: 0. */
  readonly classifierPadding?: number;
}

const standard: Preprocessing = {
  ...{ size: 224, channelOrder: "rgb", scale: 1 },
  mean: imagenetStats.mean,
  std: imagenetStats.std,
};

/** A file of torchvision: its name is `model-hash.pth`. */
function torchvision(model: string, sha256: string): Pretrained {
  const fileName = `${model}-${sha256}.pth`;
  return {
    url: `https://download.pytorch.org/models/${fileName}`,
    ...{ fileName, sha256, preprocessing: standard, numClasses: 1000 },
  };
}

/** `ResNet18_Weights.IMAGENET1K_V1`. */
export const resnet18Weights = torchvision("resnet18", "f37072fd");
/** `ResNet34_Weights.IMAGENET1K_V1`: 73.314 % top-1, 83.3 MB. */
export const resnet34Weights = torchvision("resnet34", "b627a593");
/** `ResNet50_Weights.IMAGENET1K_V2`, the default of torchvision and so of fastai. */
export const resnet50Weights = torchvision("resnet50", "11ad3fa6");
/** `SqueezeNet1_0_Weights.IMAGENET1K_V1`: 58.092 % top-1. */
export const squeezenetWeights = torchvision("squeezenet1_0", "b66bff10");

/**
 * SqueezeNet 1.0 as its authors trained it, in Caffe, from the 0.66 MB of their Deep Compression file: 57.5 % top-1. The images are
 * B, G, R in 0..255 minus a mean colour, and the last convolution has padding; `squeezenet1_0({ pretrained })` sees to both.
 *
 * Source: Han, Mao and Dally, Deep compression, arXiv 1510.00149.
 */
export const squeezenetCompressedWeights: Pretrained = {
  fileName: "squeezenet1_0-imagenet.safetensors",
  sha256: "59cf5ebe59ba0a70",
  preprocessing: {
    ...{ size: 227, channelOrder: "bgr", scale: 255 },
    mean: [104, 117, 123],
    std: [1, 1, 1],
  },
  numClasses: 1000,
  rename: renameCaffe,
  classifierPadding: 1,
};

/** What is published for a network, and where its weights meet the image. */
export interface Published {
  /** The network, in errors and reports: "resnet34". */
  readonly name: string;
  /** The convolution that sees the image: torchvision's name, and pixels of padding on each side. */
  readonly firstConvolution: { readonly name: string; readonly padding: number };
  /** Published weights; names tell which ones a file has. */
  readonly pretrained: readonly Pretrained[];
}

function ofResnet(name: string, weights: Pretrained): Published {
  return { name, firstConvolution: { name: "conv1", padding: 3 }, pretrained: [weights] };
}

/** What is published, by network. */
export const published = {
  resnet18: ofResnet("resnet18", resnet18Weights),
  resnet34: ofResnet("resnet34", resnet34Weights),
  resnet50: ofResnet("resnet50", resnet50Weights),
  squeezenet1_0: {
    name: "squeezenet1_0",
    firstConvolution: { name: "features.0", padding: 0 },
    pretrained: [squeezenetWeights, squeezenetCompressedWeights],
  },
} as const satisfies Record<string, Published>;

/** Positions of the fire modules 2 to 9 of the paper in torchvision's `features`, where pools stand between them. */
const positionsOfFires = [3, 4, 5, 7, 8, 9, 10, 12];

const partOfFire = new Map([
  ["conv1x1_1", "squeeze"],
  ["conv1x1_2", "expand1x1"],
  ["conv3x3_2", "expand3x3"],
]);

/**
 * torchvision's name for one of the authors' model: `conv1.*` is `features.0.*`, `fire2/conv1x1_1.*` is `features.3.squeeze.*`, and
 * `conv_final.*` is `classifier.1.*`.
 */
function renameCaffe(name: string): string {
  const [, fire, part = "", tensor = ""] = /^fire(\d)\/(conv\dx\d_\d)\.(\w+)$/.exec(name) ?? [];
  const position = positionsOfFires[Number(fire) - 2];
  const ours = partOfFire.get(part);
  if (position !== undefined && ours !== undefined) return `features.${position}.${ours}.${tensor}`;
  return name.replace(/^conv1\./, "features.0.").replace(/^conv_final\./, "classifier.1.");
}
