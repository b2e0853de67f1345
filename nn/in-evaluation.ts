/** @file A model in evaluation mode for a moment. */
import type { Module } from "./module.ts";

/**
 * Runs `body` with the model and all modules in it in evaluation mode. Afterwards each has the mode that it had, also where they differ
 * (`BnFreeze`). `body` does not wait for anything, so a training that is under way does not see the other mode, and captured steps
 * stay valid.
 */
export function inEvaluation<T>(model: Module, body: () => T): T {
  const modes = model.modules().map((module) => [module, module.training] as const);
  try {
    for (const [module] of modes) module.training = false;
    return body();
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}
