/** @file Vision models: bodies, heads, published weights. Re-exports only. */
export {
  architectureNamed,
  architectureOf,
  createBody,
  type Architecture,
  type BuildOptions,
  type ModelFunction,
} from "./architectures.ts";
export { createHead, type HeadOptions } from "./head.ts";
export { adaptInChannels } from "./in-channels.ts";
export {
  loadPretrained,
  type LoadPretrainedOptions,
  type PretrainedReport,
} from "./load-pretrained.ts";
export type { Misshaped } from "./mismatch.ts";
export type { TorchState } from "./prepare-pretrained.ts";
export type { PretrainedOption } from "./whole-network.ts";
export {
  foldPreprocessing,
  imagenetStats,
  type Convolution,
  type Normalization,
  type Preprocessing,
} from "./preprocessing.ts";
export {
  resnet18Weights,
  resnet34Weights,
  resnet50Weights,
  squeezenetCompressedWeights,
  squeezenetWeights,
  type Pretrained,
  type Published,
} from "./pretrained.ts";
export {
  createVisionModel,
  parameterGroups,
  VisionModel,
  type HeadSettings,
  type VisionModelOptions,
} from "./vision-model.ts";
