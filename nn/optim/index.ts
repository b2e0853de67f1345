/** @file Optimizers and gradient clipping; re-exports only. */
export { Adam, AdamW, type AdamHypers, type AdamOptions } from "./adam.ts";
export { clipGradNorm, clipGradValue } from "./clip.ts";
export {
  Optimizer,
  type HyperName,
  type Hypers,
  type OptimizerGroupState,
  type OptimizerParameterState,
  type OptimizerState,
  type ParameterGroup,
  type ParameterGroupOptions,
  type ParametersOrGroups,
} from "./optimizer.ts";
export { SGD, type SgdHypers } from "./sgd.ts";
