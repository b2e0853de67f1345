/** @file VisionLearner: a learner that knows its images and classes, so it can predict from a picture and be exported. */
import {
  ImageLoader,
  type ImageSource,
  type Label,
  type TestLoaderOptions,
} from "../data/index.ts";
import { ArgumentError, crossEntropy, type Tensor } from "../engine/index.ts";
import {
  createVisionModel,
  Learner,
  parameterGroups,
  type LearnerOptions,
  type Loader,
  type ModelFunction,
  type Normalization,
  type Predictions,
  type TorchState,
  type VisionModel,
  type VisionModelOptions,
} from "../nn/index.ts";
import { checkClasses } from "./check-classes.ts";
import type { PredictionItem } from "./prediction-item.ts";
import { Predictor, type Prediction, type PredictionData } from "./predictor.ts";

/** Images and classes to learn from and to predict with: `ImageDataLoaders` of wgrad/data/node. */
export interface VisionData extends PredictionData {
  readonly train: Loader;
  readonly valid: Loader;
  /** Channels of a batch. Default: not known, and so not checked. */
  readonly channels?: number;
  /** Normalises all images, once; adding the same again changes nothing. */
  addNormalize(stats: Normalization): void;
}

/** Options of the model and of the learner; what these need of the data is taken from it. */
export interface VisionLearnerOptions
  extends
    Partial<Omit<LearnerOptions, "train" | "valid" | "model" | "splitter">>,
    Omit<VisionModelOptions, "numClasses" | "pretrained"> {
  /** Results of the model for one image; as many as the data's classes, if these have any. Default: so many. */
  readonly numClasses?: number;
  /** Channels of the images. Default: those of the data. */
  readonly inChannels?: number;
  /** Weights of the body, with torchvision's names or those of a published file. Default: random ones. */
  readonly weights?: TorchState;
  /** Adds the normalisation that pretrained weights were trained with. Default: true. */
  readonly normalize?: boolean;
}

/** Predictions that know their images. */
export interface ImagePredictions extends Predictions {
  /** The images, in the order of the predictions; left out when the loader is no `ImageLoader`. */
  readonly items?: readonly ImageSource[];
}

/** A `Learner` of a `VisionModel`. */
export class VisionLearner extends Learner {
  declare readonly model: VisionModel;
  readonly dls: VisionData;

  constructor(dls: VisionData, model: VisionModel, options: VisionLearnerOptions = {}) {
    const { loss = crossEntropy, ...rest } = options;
    const { train, valid } = dls;
    const splitter = (): ReturnType<typeof parameterGroups> => parameterGroups(model);
    const split = rest.optimizer === undefined ? { splitter } : {};
    super({ ...rest, ...split, train, valid, model, loss });
    this.dls = dls;
  }

  /** Classes by their index. */
  get vocab(): readonly Label[] {
    return this.dls.vocab;
  }

  /** The model with its transforms, for predictions. */
  get predictor(): Predictor {
    return new Predictor(this.model, this.dls);
  }

  /** See `Learner.getPreds`; with the images, so that `ClassificationInterpretation` can name and show them. */
  override async getPreds(
    loader: Loader | undefined = this.valid,
    activation?: (predictions: Tensor) => Tensor,
  ): Promise<ImagePredictions> {
    const predictions = await super.getPreds(loader, activation);
    if (!(loader instanceof ImageLoader)) return predictions;
    // Predictions are of epoch 0.
    const order = loader.order(0).subarray(0, predictions.targets.length);
    return { ...predictions, items: Array.from(order, (index) => loader.items[index] ?? "") };
  }

  /** What one image shows: a path, a `file:` URL, the bytes of a file, or pixels. Errors as of several. */
  predict(item: PredictionItem, options?: TestLoaderOptions): Promise<Prediction>;
  /** What many images show, in their order; see `Predictor.predict`. */
  predict(items: readonly PredictionItem[], options?: TestLoaderOptions): Promise<Prediction[]>;
  predict(
    items: PredictionItem | readonly PredictionItem[],
    options?: TestLoaderOptions,
  ): Promise<Prediction | Prediction[]> {
    return this.predictor.predict(items as PredictionItem, options);
  }
}

/**
 * A learner that fine-tunes a known network on images: body with pretrained weights, a new head, groups of learning rates, and the
 * normalisation of the weights. With weights, all but the head is frozen at first, as in fastai.
 *
 * ```ts
 * const learn = visionLearner(dls, resnet34, { weights, metrics: [errorRate] });
 * await learn.fineTune(1);
 * ```
 * `cnnLearner` of wgrad/vision/node reads the weights itself. Source: fastai, `vision_learner`.
 *
 * @throws ArgumentError for weights that do not fit, data without classes, `numClasses` that is not their number, or another number of channels
 * than the data have.
 */
export function visionLearner(
  dls: VisionData,
  arch: ModelFunction,
  options: VisionLearnerOptions = {},
): VisionLearner {
  const learner = new VisionLearner(dls, visionModel(dls, arch, options), options);
  if (options.weights !== undefined) learner.freeze();
  return learner;
}

/** The model of `visionLearner`; adds its normalisation to the data. Errors as there. */
export function visionModel(
  dls: VisionData,
  arch: ModelFunction,
  options: VisionLearnerOptions,
): VisionModel {
  const { weights, normalize = true, numClasses = dls.vocab.length } = options;
  if (numClasses < 1) {
    throw new ArgumentError(
      "visionLearner",
      `the data have no classes: the vocab has ${dls.vocab.length}`,
      "Load labelled images, or pass numClasses",
    );
  }
  checkClasses("visionLearner", numClasses, dls.vocab);
  const { inChannels = dls.channels ?? 3 } = options;
  if (dls.channels !== undefined && dls.channels !== inChannels) {
    throw new ArgumentError(
      "visionLearner",
      `the images have ${dls.channels} channels, the model would take ${inChannels}`,
      "Leave inChannels out, or load images of that many: { channels: 1 } of ImageDataLoaders; a transform of batches that changes them says so by outChannels",
    );
  }
  const pretrained = weights === undefined ? {} : { pretrained: weights };
  const model = createVisionModel(arch, { ...options, numClasses, inChannels, ...pretrained });
  if (normalize && model.normalization !== undefined) dls.addNormalize(model.normalization);
  return model;
}
