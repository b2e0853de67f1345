/** @file Predictor: a trained model with the transforms and classes that belong to it. */
import type { ImageLoader, ImageSource, Json, Label, TestLoaderOptions } from "../data/index.ts";
import {
  ArgumentError,
  formatShape,
  LimitError,
  noGrad,
  openScope,
  slice,
  softmax,
  type Tensor,
} from "../engine/index.ts";
import { inEvaluation, type Module } from "../nn/index.ts";
import { checkClasses } from "./check-classes.ts";
import { nameOf, sourceOf, type PredictionItem } from "./prediction-item.ts";

/** What a model says about an image. */
export interface Prediction {
  /** The likeliest class. */
  readonly label: Label;
  /** Its index in the vocab. */
  readonly index: number;
  /** Of every class, in the order of the vocab; they add up to 1. */
  readonly probabilities: Float32Array;
}

/** Images in, batches out, as in validation: `ImagePipeline` and `ImageDataLoaders` of wgrad/data are such. */
export interface PredictionData {
  /** Classes by their index. */
  readonly vocab: readonly Label[];
  testLoader(items: readonly ImageSource[], options?: TestLoaderOptions): ImageLoader;
  /** All of it as JSON, to be stored with the model. */
  settings(): Json;
}

/** A model that says of images what they show. */
export class Predictor {
  readonly model: Module;
  readonly data: PredictionData;
  /** What the device takes at once, as far as that is known. */
  #mostImages = Infinity;

  constructor(model: Module, data: PredictionData) {
    this.model = model;
    this.data = data;
  }

  get vocab(): readonly Label[] {
    return this.data.vocab;
  }

  /** What one image shows. Errors as of several. */
  predict(item: PredictionItem, options?: TestLoaderOptions): Promise<Prediction>;
  /**
   * What many images show, in their order. They are decoded while the device computes, and run in batches, smaller ones where the
   * adapter cannot bind their tensors, in evaluation mode; the model's own mode stays as it is, so that predictions during a fit change
   * nothing in it.
   *
   * @param items paths, `file:` URLs, bytes of files, or pixels, also mixed.
   * @throws ArgumentError when an image cannot be decoded, or is nothing of that, the message names it; and when the model's results are not as many as the
   * classes, or NaN; the message says for which image.
   */
  predict(items: readonly PredictionItem[], options?: TestLoaderOptions): Promise<Prediction[]>;
  async predict(
    items: PredictionItem | readonly PredictionItem[],
    options: TestLoaderOptions = {},
  ): Promise<Prediction | Prediction[]> {
    const many = isList(items);
    const sources = (many ? items : [items]).map(sourceOf);
    const all = await this.#predictAll(sources, options);
    const [first] = all;
    return many || first === undefined ? all : first;
  }

  async #predictAll(
    items: readonly ImageSource[],
    options: TestLoaderOptions,
  ): Promise<Prediction[]> {
    if (items.length === 0) return [];
    const results: Promise<Prediction[]>[] = [];
    for await (const { x } of this.data.testLoader(items, options).epoch(0)) {
      const reading = this.#predictBatch(x);
      // Awaited below; until then nobody else looks at it.
      reading.catch(() => undefined);
      results.push(reading);
    }
    const all = (await Promise.all(results)).flat();
    refuseNaN(all, items);
    return all;
  }

  /** A batch, in parts where its tensors are larger than the adapter can bind. */
  async #predictBatch(x: Tensor): Promise<Prediction[]> {
    const [count = 0] = x.shape;
    const parts: Promise<Prediction[]>[] = [];
    for (let start = 0; start < count;) {
      const end = Math.min(count, start + this.#mostImages);
      try {
        parts.push(this.#predictPart(x, start, end));
        start = end;
      } catch (error) {
        if (!(error instanceof LimitError) || end - start === 1) throw error;
        this.#mostImages = Math.ceil((end - start) / 2);
      }
    }
    return (await Promise.all(parts)).flat();
  }

  /** Records the work for some images of a batch; what cannot be recorded is thrown at once. */
  #predictPart(x: Tensor, start: number, end: number): Promise<Prediction[]> {
    using _scope = openScope();
    const images = slice(x, [start], [end]);
    const probabilities = inEvaluation(this.model, () =>
      noGrad(() => softmax(this.model.forward(images), -1)),
    );
    const classes = this.#classesOf(probabilities, images);
    return probabilities.data().then((data) => {
      const values = Float32Array.from(data);
      return Array.from({ length: values.length / classes }, (_, i) =>
        this.#prediction(values.slice(i * classes, (i + 1) * classes)),
      );
    });
  }

  /** How many results there are for an image. */
  #classesOf({ shape }: Tensor, images: Tensor): number {
    const [count, classes] = shape;
    if (shape.length !== 2 || count !== images.shape[0] || classes === undefined) {
      throw new ArgumentError(
        "predict",
        `the model does not give a row of results for each image: ${formatShape(shape)} for ${formatShape(images.shape)}`,
        "Use a model that ends in a layer with a result for each class",
      );
    }
    checkClasses("predict", classes, this.vocab);
    return classes;
  }

  #prediction(probabilities: Float32Array): Prediction {
    const index = probabilities.indexOf(Math.max(...probabilities));
    return { label: this.vocab[index] ?? index, index, probabilities };
  }
}

/** A model that diverged says NaN of everything, or of some images. */
function refuseNaN(predictions: readonly Prediction[], items: readonly ImageSource[]): void {
  const i = predictions.findIndex(({ probabilities }) => probabilities.some(Number.isNaN));
  if (i < 0) return;
  throw new ArgumentError(
    "predict",
    `the model gives NaN for ${nameOf(items[i] ?? "", i)}`,
    "Its weights are not finite if training diverged: train again at a lower learning rate",
  );
}

function isList(
  items: PredictionItem | readonly PredictionItem[],
): items is readonly PredictionItem[] {
  return Array.isArray(items);
}
