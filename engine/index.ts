/** @file The public surface of the engine; re-exports only. Node's adapter is in `wgrad/node`. */
export * from "./backward.ts";
export {
  defaultDevice,
  Device,
  openDevice,
  setDefaultDevice,
  type AdapterDescription,
  type DeviceOptions,
} from "./device/device.ts";
export { formatBytes, type MemoryReport } from "./device/buffer-pool.ts";
export type { CompileProgress } from "./device/pipeline-cache.ts";
export { bytesPerElement, isFloat, type DType, type HostData } from "./dtype.ts";
export * from "./errors.ts";
export { tensor, type NestedNumbers, type TensorOptions } from "./from-host.ts";
export { gradcheck, type GradcheckOptions, type GradcheckReport } from "./gradcheck.ts";
export { guardNonFinite, type NonFiniteGuard } from "./guard.ts";
export {
  defineKernel,
  linearGrid,
  type Kernel,
  type KernelDefinition,
  type ShaderSource,
} from "./kernel.ts";
export { defineOp, type Op, type OpDefinition } from "./op.ts";
export * from "./ops/index.ts";
export { profile, type Profile } from "./profile.ts";
export { capture, type CapturedStep } from "./capture.ts";
export type { StepResult } from "./step-result.ts";
export { addCaptureContext, invalidateCaptures, onReplay, type HostPart } from "./replay.ts";
export { keep, openScope, type Scope } from "./scope.ts";
export {
  broadcastShapes,
  formatShape,
  normalizeAxes,
  normalizeAxis,
  shapesEqual,
  sizeOf,
  stridesOf,
  type Shape,
} from "./shape.ts";
export { measure, type MeasureOptions, type Timing } from "./timing/measure.ts";
export {
  ProblemCollector,
  tune,
  tuningTable,
  useTuningTable,
  type Tuned,
  type TuneOptions,
  type TuneProgress,
} from "./tuning/tune.ts";
export { TuningTable, type TuningFile, type Winner } from "./tuning/tuning-table.ts";
export { isRecording, noGrad, observeTensors, type TensorObserver } from "./tape.ts";
export { setRequiresGrad, type Tensor } from "./tensor.ts";
