/** @file The public surface of vision for Node: what reads and writes files; re-exports only. */
export { plotLosses } from "./charts/loss-chart.ts";
export { plotLrFind } from "./charts/lr-find-chart.ts";
export { readCheckpoint, writeCheckpoint } from "./checkpoint-file.ts";
export { CnnLearner, cnnLearner, type CnnLearnerOptions } from "./cnn-learner.ts";
export { exportLearner, loadLearner } from "./export-learner.ts";
export { plotConfusionMatrix, plotTopLosses, type PictureData } from "./interpretation/pictures.ts";
export { pretrainedWeights } from "./pretrained-weights.ts";
export { writeOnnx } from "./onnx/write-onnx.ts";
