/** @file The fit loop; re-exports only. */
export type { BatchEvent, Callback, EpochEvent, LossReading } from "./callback.ts";
export {
  CancelBackwardException,
  CancelBatchException,
  CancelEpochException,
  CancelException,
  CancelFitException,
  CancelStepException,
  CancelTrainException,
  CancelValidException,
} from "./cancel.ts";
export type { Predictions } from "./evaluate.ts";
export { FindNonFinite } from "./find-non-finite.ts";
export { GradientClip } from "./gradient-clip.ts";
export { fastaiAdam, Learner } from "./learner.ts";
export type { Batch, Loader } from "./loader.ts";
export type {
  FitOptions,
  LearnerOptions,
  LearningRate,
  Model,
  OneCycleOptions,
} from "./options.ts";
export { ParamScheduler, type HyperSchedule } from "./param-scheduler.ts";
export { linesOnly, type Progress, type ProgressState } from "./progress.ts";
export { Recorder, type EpochRow } from "./recorder.ts";
export {
  combinedCos,
  combineScheds,
  schedCos,
  schedExp,
  schedLin,
  schedNo,
  schedPoly,
  type Schedule,
} from "./schedules.ts";
export { formatTime, tableColumns, tableHead, tableRow } from "./table.ts";
export { TerminateOnNaN } from "./terminate-on-nan.ts";
export type { ValidationResult } from "./validation.ts";
