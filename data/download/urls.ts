/** @file Where the data sets of fastai's book are published. */

const imageClassification = "https://s3.amazonaws.com/fast-ai-imageclas";
const samples = "https://s3.amazonaws.com/fast-ai-sample";

/**
 * Addresses for `untarData`, under the names that fastai gives them. The files can change or vanish; no checksums are known.
 *
 * Source: fastai, data/external.py.
 */
export const URLs = {
  CIFAR: `${samples}/cifar10.tgz`,
  CIFAR_100: `${imageClassification}/cifar100.tgz`,
  CUB_200_2011: `${imageClassification}/CUB_200_2011.tgz`,
  DOGS: `${samples}/dogscats.tgz`,
  IMAGENETTE: `${imageClassification}/imagenette2.tgz`,
  IMAGENETTE_160: `${imageClassification}/imagenette2-160.tgz`,
  IMAGENETTE_320: `${imageClassification}/imagenette2-320.tgz`,
  IMAGEWOOF: `${imageClassification}/imagewoof2.tgz`,
  IMAGEWOOF_160: `${imageClassification}/imagewoof2-160.tgz`,
  IMAGEWOOF_320: `${imageClassification}/imagewoof2-320.tgz`,
  MNIST: `${imageClassification}/mnist_png.tgz`,
  MNIST_SAMPLE: `${samples}/mnist_sample.tgz`,
  MNIST_TINY: `${samples}/mnist_tiny.tgz`,
  /** 37 breeds of cats and dogs, 7,390 images, 0.8 GB. */
  PETS: `${imageClassification}/oxford-iiit-pet.tgz`,
} as const;
