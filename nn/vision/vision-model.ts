/** @file A vision model: the body of a known network and a head for other classes, as fastai builds it. */
import type { Tensor } from "../../engine/index.ts";
import { checkSizes } from "../layers/layer-options.ts";
import { Sequential } from "../layers/sequential.ts";
import type { Module } from "../module.ts";
import { architectureOf, type Architecture, type ModelFunction } from "./architectures.ts";
import { createHead, type HeadOptions } from "./head.ts";
import { loadPretrained, type PretrainedReport } from "./load-pretrained.ts";
import type { TorchState } from "./prepare-pretrained.ts";
import { imagenetStats, type Normalization } from "./preprocessing.ts";

/**
 * `Sequential(body, head)`, so names are fastai's: `0.0.weight`, `0.4.0.conv1.weight`, `1.2.weight`. Images [batch, height, width,
 * inChannels] to logits [batch, numClasses].
 */
export class VisionModel extends Sequential {
  readonly architecture: Architecture;
  readonly body: Sequential;
  readonly head: Module;
  /** Channels of the images. */
  readonly inChannels: number;
  readonly numClasses: number;
  /** How the head was built; undefined for one of the user's own. */
  readonly headSettings: HeadSettings | undefined;
  /** What `loadPretrained` did; undefined for random weights. */
  pretrained: PretrainedReport | undefined;

  constructor({ architecture, body, head, inChannels, numClasses, headSettings }: VisionParts) {
    super(body, head);
    this.architecture = architecture;
    this.body = body;
    this.head = head;
    this.inChannels = inChannels;
    this.numClasses = numClasses;
    this.headSettings = headSettings;
    this.nameTensors();
  }

  /**
   * How images, R, G, B in 0..1, must be normalized before `forward`, once: by `imagenetStats` with pretrained weights. Undefined,
   * as in fastai, for random weights and for images that are not of 3 channels, where statistics of the data itself do better.
   */
  get normalization(): Normalization | undefined {
    return this.pretrained !== undefined && this.inChannels === 3 ? imagenetStats : undefined;
  }
}

/** What `createHead` was told, without weights and places: enough to build the head again. */
export type HeadSettings = Omit<
  HeadOptions,
  "inFeatures" | "numClasses" | "init" | "device" | "generator"
>;

/** What a vision model is made of. */
export interface VisionParts {
  readonly architecture: Architecture;
  readonly body: Sequential;
  readonly head: Module;
  readonly inChannels: number;
  readonly numClasses: number;
  readonly headSettings: HeadSettings | undefined;
}

export interface VisionModelOptions extends Omit<HeadOptions, "inFeatures"> {
  /** Channels of the images. Default: 3. */
  readonly inChannels?: number;
  /** Weights for the body, see `loadPretrained`. Default: none, random weights. */
  readonly pretrained?: TorchState;
  /** Takes features [batch, height, width, numFeatures]; used as it is, options of the head do nothing. Default: `createHead`. */
  readonly customHead?: Module;
}

/**
 * A network for `numClasses` classes: the body of `arch`, with pretrained weights if they are given, and a new head.
 *
 * ```ts
 * const pretrained = await pretrainedWeights(resnet34);
 * const model = createVisionModel(resnet34, { numClasses: 2, pretrained });
 * console.log(String(model.pretrained));
 * ```
 * Source: fastai, `create_vision_model`.
 * @throws ArgumentError for an unknown function, sizes that are not whole, and what `loadPretrained` and `createHead` throw.
 */
export function createVisionModel(
  arch: ModelFunction | Architecture,
  options: VisionModelOptions,
): VisionModel {
  const architecture = architectureOf(arch);
  const { inChannels = 3, numClasses, pretrained, customHead, device, generator } = options;
  checkSizes("createVisionModel", { numClasses, inChannels });
  // The smallest classifier: it is cut off.
  const whole = architecture.build({ inChannels, numClasses: 1, device, generator });
  const body = architecture.cut(whole);
  const head = customHead ?? createHead({ ...options, inFeatures: architecture.numFeatures });
  const headSettings = customHead === undefined ? settingsOf(options) : undefined;
  const model = new VisionModel({
    ...{ architecture, body, head, inChannels, numClasses, headSettings },
  });
  if (pretrained !== undefined) loadPretrained(model, pretrained);
  return model;
}

function settingsOf(options: HeadSettings): HeadSettings {
  const { linFtrs, ps, pool, concatPool, firstBn, bnFinal, linFirst, yRange } = options;
  const all = { linFtrs, ps, pool, concatPool, firstBn, bnFinal, linFirst, yRange };
  return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
}

/**
 * The parameters in the groups that get learning rates of their own, frozen ones included, those next to the image first and the head
 * last: for a ResNet the stem with layers 1 and 2, layers 3 and 4, the head. Source: fastai, `_resnet_split`, `_squeezenet_split`.
 *
 * ```ts
 * const [early, late, head] = parameterGroups(model);
 * ```
 */
export function parameterGroups(model: VisionModel): Tensor[][] {
  const { architecture, body, head } = model;
  return [...architecture.split(body), [head]].map((modules) =>
    modules.flatMap((module) => module.parameters()),
  );
}
