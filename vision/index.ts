/** @file The public surface of vision that runs in browsers too; re-exports only. Files are in `wgrad/vision/node`. */
export { decodeCheckpoint, encodeCheckpoint } from "./checkpoint-bytes.ts";
export {
  decodeLearner,
  encodeLearner,
  type Exportable,
  type ExportedModel,
  type ExportOptions,
  type LoadLearnerOptions,
} from "./exported-model.ts";
export {
  ClassificationInterpretation,
  type Confusion,
  type JudgedImage,
} from "./interpretation/interpretation.ts";
export type { PredictionItem } from "./prediction-item.ts";
export { Predictor, type Prediction, type PredictionData } from "./predictor.ts";
export {
  visionLearner,
  VisionLearner,
  type ImagePredictions,
  type VisionData,
  type VisionLearnerOptions,
} from "./vision-learner.ts";
export type { OnnxBuilder, OnnxValue } from "./onnx/builder.ts";
export type { ModuleClass, OnnxEmitter } from "./onnx/emitter.ts";
export { encodeOnnx, type OnnxOptions } from "./onnx/encode-onnx.ts";
export type { OnnxAttribute } from "./onnx/graph.ts";
export type { OnnxPreprocessing, OnnxTransform } from "./onnx/preprocessing.ts";
export { registerOnnx } from "./onnx/registry.ts";
