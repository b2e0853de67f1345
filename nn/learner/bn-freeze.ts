/** @file BnFreeze: keeps the running statistics of frozen batch norms as they are. Source: fastai, callback/training.py. */
import { BatchNorm } from "../layers/batch-norm.ts";
import { Module } from "../module.ts";
import type { Callback } from "./callback.ts";
import type { Learner } from "./learner.ts";

/**
 * Runs every batch norm whose scale is not trained in evaluation mode: it normalizes by its running statistics and leaves them as they
 * are. Without it, the statistics of frozen layers move on in training, as fastai's do. Only of use with `trainBn: false`, because
 * otherwise the scales of frozen batch norms are trained.
 */
export class BnFreeze implements Callback {
  beforeTrain({ model }: Learner): void {
    if (!(model instanceof Module)) return;
    for (const layer of model.modules()) {
      if (layer instanceof BatchNorm && layer.weight?.requiresGrad === false) layer.eval();
    }
  }
}
