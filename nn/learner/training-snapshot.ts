/** @file The state of a learner, taken before it trains for a look and put back afterwards, bit for bit. */
import { defaultGenerator, keep, noGrad, openScope, type Tensor } from "../../engine/index.ts";
import { Module } from "../module.ts";
import type { Learner } from "./learner.ts";
import type { Model } from "./options.ts";

/**
 * Takes weights and buffers (of a model that is no `Module`: its parameters), the optimizer's and the scaler's state, random generators
 * and history. The result puts them back and frees the copies.
 */
export async function snapshotTraining(learner: Learner): Promise<() => void> {
  const { model, optimizer, scaler, recorder, epochsSeen, generators } = learner;
  const tensors = tensorsOf(model);
  const copies = noGrad(() => tensors.map((tensor) => keep(tensor.copy())));
  const sources = [defaultGenerator(), ...generators];
  const places = sources.map(({ state }) => state);
  const history = recorder.saveState();
  const isTraining = model instanceof Module && model.training;
  const optimizerState = await optimizer.stateDict();
  const scalerState = await scaler?.stateDict();
  return () => {
    // Looking at the state makes layers write what they count on the host, which must not come after it was put back.
    put(tensorsOf(model), copies);
    optimizer.zeroGrad();
    optimizer.loadStateDict(optimizerState);
    if (scalerState !== undefined) scaler?.loadStateDict(scalerState);
    sources.forEach((source, i) => {
      source.state = places[i] ?? source.state;
    });
    recorder.beforeFit(learner);
    recorder.loadState(history);
    if (model instanceof Module) model.train(isTraining);
    learner.epochsSeen = epochsSeen;
  };
}

function tensorsOf(model: Model): Tensor[] {
  if (!(model instanceof Module)) return model.parameters();
  return [...new Set([...model.stateEntries().values()].map(({ tensor }) => tensor))];
}

function put(tensors: readonly Tensor[], copies: readonly Tensor[]): void {
  using _scope = openScope();
  noGrad(() => {
    copies.forEach((copy, i) => {
      tensors[i]?.assign(copy, "lrFind");
      copy.release();
    });
  });
}
