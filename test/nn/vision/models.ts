/** @file Large models in tests: their memory goes back at the end of each test, not when the garbage collector comes. */
import { afterEach } from "vitest";
import type { Module } from "../../../nn/index.ts";

/** The result remembers a model and hands it on; after each test the tensors of all of them are freed. */
export function useModels(): <M extends Module>(model: M) => M {
  const models: Module[] = [];
  afterEach(() => {
    for (const model of models.splice(0)) for (const t of model.stateDict().values()) t.release();
  });
  return (model) => {
    models.push(model);
    return model;
  };
}
