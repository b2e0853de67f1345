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
  preparePretrained,
  type LoadPretrainedOptions,
  type Misshaped,
  type PretrainedReport,
  type TorchState,
} from "./load-pretrained.ts";
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
} from "./pretrained.ts";
export {
  createVisionModel,
  parameterGroups,
  VisionModel,
  type HeadSettings,
  type VisionModelOptions,
} from "./vision-model.ts";
