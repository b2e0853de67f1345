/** @file Networks whose body can be cut off and trained further: where to cut them, and how to part what is left into groups. */
import { ArgumentError } from "../../engine/index.ts";
import { Identity } from "../layers/identity.ts";
import type { LayerOptions } from "../layers/layer-options.ts";
import { Sequential } from "../layers/sequential.ts";
import { resnet18, resnet34, resnet50, ResNet } from "../models/resnet.ts";
import { SqueezeNet, squeezenet1_0 } from "../models/squeezenet.ts";
import type { Module } from "../module.ts";
import { published, type Published } from "./pretrained.ts";

export interface BuildOptions extends LayerOptions {
  readonly numClasses: number;
  readonly inChannels: number;
}

/** How a network becomes a body; fastai's `model_meta`. */
export interface Architecture extends Published {
  /** Channels of what the body computes. */
  readonly numFeatures: number;
  /** The whole network with random weights. */
  build(options: BuildOptions): Module;
  /** The layers before pooling and classifier, the very same, not copies. Throws `ArgumentError` for another network. */
  cut(model: Module): Sequential;
  /** The body's parts in groups of like learning rates, those next to the image first. */
  split(body: Sequential): readonly (readonly Module[])[];
  /** The body's name for each part of torchvision's network: `layer1` is `4`. */
  readonly bodyNames: ReadonlyMap<string, string>;
  /** torchvision's name of what is cut off. */
  readonly classifier: string;
}

/** A function that builds a known network, as fastai takes it: `resnet34`. */
export type ModelFunction =
  typeof resnet18 | typeof resnet34 | typeof resnet50 | typeof squeezenet1_0;

/**
 * conv1, bn1, relu, maxpool, layer1, ..., layer4: torchvision's children without the last two. Batch norm has its ReLU inside, so
 * an `Identity` stands where torchvision has it, and all positions are torchvision's.
 */
function resnetArchitecture(
  weights: Published,
  numFeatures: number,
  make: (options: BuildOptions) => ResNet,
): Architecture {
  return {
    ...{ ...weights, numFeatures, build: make },
    cut: (model) => {
      if (!(model instanceof ResNet)) throw cannotCut(weights.name, model);
      const { conv1, bn1, maxpool, layer1, layer2, layer3, layer4 } = model;
      return new Sequential(conv1, bn1, new Identity(), maxpool, layer1, layer2, layer3, layer4);
    },
    split: (body) => splitAt(body, 6),
    bodyNames: new Map([
      ...([
        ["conv1", "0"],
        ["bn1", "1"],
        ["layer1", "4"],
      ] as const),
      ...([
        ["layer2", "5"],
        ["layer3", "6"],
        ["layer4", "7"],
      ] as const),
    ]),
    classifier: "fc",
  };
}

/** The features stay one module inside of the body, as in fastai. */
const squeezenetArchitecture: Architecture = {
  ...published.squeezenet1_0,
  numFeatures: 512,
  build: squeezenet1_0,
  cut: (model) => {
    if (!(model instanceof SqueezeNet)) throw cannotCut("squeezenet1_0", model);
    return new Sequential(model.features);
  },
  split: (body) => splitAt(body.at(0) as Sequential, 5),
  bodyNames: new Map([["features", "0"]]),
  classifier: "classifier",
};

function splitAt(layers: Sequential, position: number): readonly (readonly Module[])[] {
  const list = [...layers];
  return [list.slice(0, position), list.slice(position)];
}

const architectures = new Map<unknown, Architecture>([
  [resnet18, resnetArchitecture(published.resnet18, 512, resnet18)],
  [resnet34, resnetArchitecture(published.resnet34, 512, resnet34)],
  [resnet50, resnetArchitecture(published.resnet50, 2048, resnet50)],
  [squeezenet1_0, squeezenetArchitecture],
]);

/**
 * What is known about a function that builds a network.
 * @throws ArgumentError for functions other than `resnet18`, `resnet34`, `resnet50` and `squeezenet1_0`.
 */
export function architectureOf(arch: ModelFunction | Architecture): Architecture {
  if (typeof arch !== "function") return arch;
  const known = architectures.get(arch);
  if (known !== undefined) return known;
  const names = Array.from(architectures.values(), ({ name }) => name).join(", ");
  throw new ArgumentError(
    "architectureOf",
    `nothing is known about the function ${(arch as () => void).name}`,
    `Use one of ${names}, or pass an Architecture of your own`,
  );
}

/**
 * The architecture of this name, for example "resnet34".
 * @throws ArgumentError when there is none.
 */
export function architectureNamed(name: string): Architecture {
  const all = [...architectures.values()];
  const found = all.find((architecture) => architecture.name === name);
  if (found !== undefined) return found;
  throw new ArgumentError(
    "architectureNamed",
    `there is no architecture "${name}"`,
    `Use one of ${all.map((architecture) => architecture.name).join(", ")}`,
  );
}

/**
 * The body of a network: all layers before pooling and classifier, the same modules, so training the one trains the other. Images
 * [batch, height, width, inChannels] to features [batch, height / 32, width / 32, numFeatures], SqueezeNet's / 16.
 * Source: fastai, `create_body`.
 * @throws ArgumentError when the model is not of that architecture.
 */
export function createBody(model: Module, arch: ModelFunction | Architecture): Sequential {
  return architectureOf(arch).cut(model);
}

function cannotCut(name: string, model: Module): ArgumentError {
  return new ArgumentError(
    "createBody",
    `the model is no ${name}: ${model.constructor.name}`,
    "Name the architecture that the model was built by",
  );
}
