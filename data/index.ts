/** @file The public surface of the data folder that runs in browsers too; re-exports only. Files are in `wgrad/data/node`. */
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
export { encodeCsv } from "./formats/csv.ts";
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
export { DataLoader, type Batch, type DataLoaderOptions } from "./loader.ts";
export { decodeMnist, mnistFiles, mnistStats, type GreyImageDataset, type Mnist } from "./mnist.ts";
export { Xoshiro128 } from "./random.ts";
export {
  normalize,
  toFloat,
  type ChannelStats,
  type Normalize,
  type Transform,
} from "./transforms.ts";
