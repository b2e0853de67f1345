/** @file The public surface of nn: modules, layers, losses, models; optimizers, metrics and the learner. Re-exports only. */
export { hookForward, type ForwardHook } from "./forward-hook.ts";
export { inEvaluation } from "./in-evaluation.ts";
export * from "./init.ts";
export * from "./layers/adaptive-avg-pool2d.ts";
export * from "./layers/adaptive-concat-pool2d.ts";
export * from "./layers/avg-pool2d.ts";
export { BatchNorm, type BatchNormLayerOptions } from "./layers/batch-norm.ts";
export * from "./layers/batch-norm1d.ts";
export * from "./layers/batch-norm2d.ts";
export * from "./layers/conv-transpose2d.ts";
export { Conv2d, type Conv2dLayerOptions } from "./layers/conv2d.ts";
export * from "./layers/dropout.ts";
export * from "./layers/elu.ts";
export * from "./layers/flatten.ts";
export * from "./layers/gelu.ts";
export * from "./layers/global-average-pool.ts";
export * from "./layers/global-max-pool.ts";
export * from "./layers/identity.ts";
export type { LayerOptions } from "./layers/layer-options.ts";
export * from "./layers/layer-norm.ts";
export * from "./layers/leaky-relu.ts";
export * from "./layers/linear.ts";
export * from "./layers/max-pool2d.ts";
export * from "./layers/relu.ts";
export * from "./layers/sequential.ts";
export * from "./layers/sigmoid.ts";
export * from "./layers/sigmoid-range.ts";
export * from "./layers/silu.ts";
export * from "./layers/softmax.ts";
export * from "./layers/tanh.ts";
export * from "./learner/index.ts";
export * from "./losses.ts";
export * from "./metrics/index.ts";
export {
  autocast,
  autocastInputs,
  isAutocasting,
  type AutocastOptions,
} from "./mixed-precision/autocast.ts";
export {
  GradScaler,
  type GradScalerOptions,
  type GradScalerState,
} from "./mixed-precision/grad-scaler.ts";
export * from "./models/cifar-resnet.ts";
export {
  BasicBlock,
  Bottleneck,
  ResNet,
  resnet18,
  resnet34,
  resnet50,
  type BlockClass,
  type BlockOptions,
  type ResNetOptions,
} from "./models/resnet.ts";
export * from "./models/small-resnet.ts";
export * from "./models/squeezenet.ts";
export { Module, type StateEntry } from "./module.ts";
export * from "./optim/index.ts";
export { buffer, parameter, type StateOptions, type StateRole } from "./parameter.ts";
export { runLayers } from "./run-layers.ts";
export {
  exportStateDict,
  fromTorchLayout,
  importStateDict,
  toTorchLayout,
  type HostNumbers,
  type HostState,
  type ImportableState,
  type LoadOptions,
  type LoadReport,
} from "./state-dict.ts";
export { summary, type ModelSummary, type SummaryRow } from "./summary.ts";
export {
  exportTrainingState,
  importTrainingState,
  type ImportableEntry,
  type TrainingEntry,
  type TrainingParts,
} from "./training-state.ts";
export * from "./vision/index.ts";
