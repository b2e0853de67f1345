/** @file The list of ops. */
export * from "./arg-reduce.ts";
export * from "./binary.ts";
export * from "./cast.ts";
export * from "./compare.ts";
export * from "./concat.ts";
export * from "./create.ts";
export {
  checkLabels,
  type CrossEntropyOptions,
  type LossReduction,
} from "./cross-entropy-arguments.ts";
export { crossEntropy } from "./cross-entropy.ts";
export * from "./cumulative-sum.ts";
export * from "./expand.ts";
export * from "./flip.ts";
export * from "./gather.ts";
export * from "./one-hot.ts";
export * from "./pad.ts";
export * from "./permute.ts";
export * from "./reduce.ts";
export * from "./reshape.ts";
export * from "./slice.ts";
export { logSoftmax, softmax } from "./softmax.ts";
export * from "./top-k.ts";
export * from "./conv2d.ts";
export * from "./matmul.ts";
export * from "./unary.ts";
export {
  defaultGenerator,
  Generator,
  manualSeed,
  randomPermutation,
  type GeneratorState,
} from "../philox.ts";
export {
  randomInteger,
  randomNormal,
  randomUniform,
  type IntegerOptions,
  type NormalOptions,
  type RandomOptions,
  type UniformOptions,
} from "./random.ts";
export * from "./dropout.ts";
export { avgPool2d, type AvgPoolOptions } from "./avg-pool2d.ts";
export * from "./global-pool.ts";
export { maxPool2d, maxPool2dWithIndices, type MaxPoolOptions } from "./max-pool2d.ts";
export type { PoolOptions, Size2d } from "./pool-window.ts";
export { batchNorm, type BatchNormOptions } from "./batch-norm.ts";
export { layerNorm, type LayerNormOptions } from "./layer-norm.ts";
