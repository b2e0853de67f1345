/** @file The fit loop; re-exports only. */
export { BnFreeze } from "./bn-freeze.ts";
export type {
  BatchEvent,
  Callback,
  CallbackState,
  EpochEvent,
  LossReading,
  SavedCallbackState,
} from "./callback.ts";
export type { Checkpoint, CheckpointProgress, FitPlace, StoredCheckpoint } from "./checkpoint.ts";
export { Checkpointer, type CheckpointerOptions } from "./checkpointer.ts";
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
export { CsvLogger } from "./csv-logger.ts";
export { CutMix } from "./cut-mix.ts";
export { EarlyStopping } from "./early-stopping.ts";
export type { Predictions } from "./evaluate.ts";
export { FindNonFinite } from "./find-non-finite.ts";
export { GradientAccumulation } from "./gradient-accumulation.ts";
export { GradientClip } from "./gradient-clip.ts";
export type { FitPhase } from "./fine-tune.ts";
export { Learner } from "./learner.ts";
export { slice, type LearningRate, type LrSlice } from "./learning-rate.ts";
export type { LrFindOptions, LrFindResult } from "./lr-find.ts";
export { suggestLr, type LrCurve, type LrSuggestions } from "./lr-suggestions.ts";
export type { Batch, Loader } from "./loader.ts";
export type { MixOptions } from "./mix-callback.ts";
export { MixUp } from "./mix-up.ts";
export type {
  FineTuneOptions,
  FitOptions,
  FlatCosOptions,
  LearnerOptions,
  Model,
  OneCycleOptions,
  OptimizerGroup,
  SgdrOptions,
} from "./options.ts";
export { fastaiAdam } from "./parameter-groups.ts";
export type { FitCall } from "./policies.ts";
export { ParamScheduler, type HyperSchedule } from "./param-scheduler.ts";
export { linesOnly, type Progress, type ProgressState } from "./progress.ts";
export { Overfitting, overfittingNotice } from "./overfitting.ts";
export { ReduceLROnPlateau, type ReduceLROnPlateauOptions } from "./reduce-lr-on-plateau.ts";
export { SaveBest, type SaveBestOptions } from "./save-best.ts";
export { Tracker, type TrackerOptions } from "./tracker.ts";
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
