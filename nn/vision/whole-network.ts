/** @file Published weights into a whole network, its classifier included. */
import { ArgumentError } from "../../engine/index.ts";
import type { Module } from "../module.ts";
import { importStateDict, torchShapes } from "../state-dict.ts";
import { describeMismatch } from "./mismatch.ts";
import { matchState, prepareState, type TorchState } from "./prepare-pretrained.ts";
import type { Published } from "./pretrained.ts";

/** For the functions that build a known network. */
export interface PretrainedOption {
  /**
   * The tensors of all layers, the classifier's too, with torchvision's names or those of a published file; `num_batches_tracked` may
   * be missing. Afterwards the network takes images normalized by `imagenetStats`, whatever the weights were trained with. Default:
   * none, random weights.
   *
   * ```ts
   * const model = resnet34({ pretrained: await pretrainedWeights(resnet34) });
   * ```
   * Throws `ArgumentError` listing every name that is missing, unexpected or of another shape, and for what is no map of tensors.
   */
  readonly pretrained?: TorchState | undefined;
}

/** The model, with the weights if there are some. Errors as `PretrainedOption` says. */
export function withPretrained<M extends Module>(
  published: Published,
  model: M,
  options: PretrainedOption & { readonly inChannels?: number },
): M {
  const { pretrained: state, inChannels = 3 } = options;
  if (state === undefined) return model;
  const { name, pretrained } = published;
  checkState(name, name, state);
  const shapes = torchShapes(model);
  const target = { published, inChannels, shapes, torchName: (own: string) => own };
  const match = matchState(target, state);
  const problem = describeMismatch(match.mismatch);
  if (problem !== undefined) {
    throw new ArgumentError(
      name,
      `the state does not fit the network: ${problem}`,
      `Load ${pretrained.map(({ fileName }) => fileName).join(" or ")}; for other classes use createVisionModel(${name}, ...)`,
    );
  }
  importStateDict(model, prepareState(name, target, match).state, { strict: false });
  return model;
}

/** Throws `ArgumentError` unless it is a map. `model` is the name of a function that builds the network. */
export function checkState(op: string, model: string, state: unknown): void {
  if (state instanceof Map) return;
  const given =
    state instanceof Promise
      ? "a Promise"
      : typeof state === "object"
        ? "an object"
        : JSON.stringify(state);
  throw new ArgumentError(
    op,
    `pretrained takes the tensors of a file in a Map, not ${given}`,
    `Pass { pretrained: await pretrainedWeights(${model}) }, from wgrad/vision/node; leave it out for random weights`,
  );
}
