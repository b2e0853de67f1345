/** @file The public surface of the data folder that runs in browsers too; re-exports only. Files are in `wgrad/data/node`. */
export { augTransforms, type AugTransformsOptions } from "./augment/aug-transforms.ts";
export type { ImageSize } from "./augment/homography.ts";
export { RandomErasing, type RandomErasingOptions } from "./augment/random-erasing.ts";
export type { SampleMode } from "./augment/sample-images.ts";
export type { BatchTransform, Json } from "./batch-transform.ts";
export {
  ArrayDataset,
  type ArrayDatasetOptions,
  type Dataset,
  type HostArray,
  type HostBatch,
  type InputArray,
  type InputData,
  type TargetArray,
  type TargetData,
} from "./dataset.ts";
export { decodeCsv, encodeCsv, type CsvReadOptions } from "./formats/csv.ts";
export { decodeIdx, encodeIdx, type IdxArray } from "./formats/idx.ts";
export type { SafetensorsDType } from "./formats/safetensors-header.ts";
export { float32Values, weightEntry, type WeightDType } from "./formats/safetensors-values.ts";
export {
  decodeSafetensors,
  encodeSafetensors,
  type SafetensorsArrays,
  type SafetensorsEntry,
  type SafetensorsFile,
} from "./formats/safetensors.ts";
export {
  isTorchTensor,
  torchStateDict,
  type TorchStateDictOptions,
} from "./formats/torch/torch-state-dict.ts";
export {
  decodeTorch,
  type TorchDict,
  type TorchFile,
  type TorchOptions,
  type TorchTensor,
  type TorchValue,
} from "./formats/torch/torch.ts";
export { decodeWeights } from "./formats/weights.ts";
export { DataLoader, type Batch, type DataLoaderOptions } from "./loader.ts";
export { decodeMnist, mnistFiles, mnistStats, type GreyImageDataset, type Mnist } from "./mnist.ts";
export { Xoshiro128 } from "./random.ts";
export {
  normalize,
  toFloat,
  type ChannelStats,
  type NormalizeTransform,
  type Transform,
} from "./transforms.ts";
export {
  ImageLoader,
  type ImageLoaderOptions,
  type LoadingOptions,
} from "./vision/image-loader.ts";
export {
  ImagePipeline,
  type ImagePipelineOptions,
  type TestLoaderOptions,
  type TransformMakers,
} from "./vision/image-pipeline.ts";
export type { ItemTransform, Placement, PlacementContext, Size } from "./vision/item-transform.ts";
export { placeRgb } from "./vision/item-transform.ts";
export { loadPixels, sourceName, type ImageSource, type LoadImage } from "./vision/load-image.ts";
export { MersenneTwister, torchPermutation } from "./vision/mersenne-twister.ts";
export { cifarStats, imagenetStats, Normalize } from "./vision/normalize.ts";
export { resampleRgb } from "./vision/resample.ts";
export {
  RandomResizedCrop,
  Resize,
  type RandomResizedCropOptions,
  type ResizeMethod,
  type ResizeOptions,
  type SizeArgument,
} from "./vision/resize.ts";
export {
  cropRgb,
  type Box,
  type ImageChannels,
  type PadMode,
  type RgbImage,
} from "./vision/rgb-image.ts";
export {
  grandparentSplitter,
  randomSplitter,
  type GrandparentSplitterOptions,
  type RandomSplitterOptions,
  type Split,
  type Splitter,
} from "./vision/splitters.ts";
export { Categorize, vocabOf, type Label } from "./vision/vocab.ts";
