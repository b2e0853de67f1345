/** @file Optimizers and gradient clipping; re-exports only. */
export { Adam, AdamW, type AdamHypers, type AdamOptions } from "./adam.ts";
export { clipGradNorm, clipGradValue } from "./clip.ts";
export {
  type HyperName,
  type Hypers,
  type ParameterGroup,
  type ParameterGroupOptions,
  type ParametersOrGroups,
} from "./hypers.ts";
export { Optimizer } from "./optimizer.ts";
export {
  type OptimizerGroupState,
  type OptimizerParameterState,
  type OptimizerState,
} from "./optimizer-state.ts";
export { SGD, type SgdHypers } from "./sgd.ts";
