/** @file Metrics; re-exports only. */
export { averageMetric } from "./average.ts";
export { ConfusionMatrix, type ConfusionOptions } from "./confusion.ts";
export type { Metric } from "./metric.ts";
export type { LabelOptions } from "./rows.ts";
export { f1Score, precision, recall, type ScoreOptions } from "./scores.ts";
export { accuracy, errorRate, topKAccuracy } from "./top-k.ts";
