/** @file What MixUp and CutMix have in common: partners, and a loss that knows of them. */
import {
  add,
  ArgumentError,
  formatShape,
  Generator,
  indexSelect,
  isFloat,
  keep,
  mean,
  mul,
  onReplay,
  randomPermutation,
  reshape,
  sub,
  tensor,
  zerosLike,
  type Shape,
  type Tensor,
} from "../../engine/index.ts";
import type { LossFunction } from "../losses.ts";
import type { Callback } from "./callback.ts";
import type { Learner } from "./learner.ts";
import { mixSamples, type MixBox } from "./mix-samples.ts";

export interface MixOptions {
  /** Of the distribution Beta(alpha, alpha); the larger, the more evenly two samples are mixed. Above 0. */
  readonly alpha?: number;
  /** A whole number from 0 to 2^53 - 1. Default: 0. */
  readonly seed?: number;
}

/** How a batch is to be mixed. */
export interface Mix {
  /** How much each sample counts itself, 1 minus that of its partner: in its target, and without a box in its input. */
  readonly weights: readonly number[];
  /** Where inputs are replaced by those of the partners. Undefined: they are weighed everywhere. */
  readonly box?: MixBox;
}

/** What the loss of a batch needs; the memory stays the same for all batches of a shape, so that a captured step can read it. */
interface Partners {
  readonly targets: Tensor;
  readonly weights: Tensor;
}

/** Numbers of one batch do not meet those of the next. */
const countersOfABatch = 2 ** 24;

/** Loss functions that mix, so that none is put around another. */
const mixingLosses = new WeakSet<LossFunction>();

/**
 * Mixes each training batch with itself in random order, inputs and targets:
 *
 *     targets of whole numbers   loss = mean(w loss(prediction, y) + (1 - w) loss(prediction, y of the partner))
 *     targets of real numbers    y = w y + (1 - w) y of the partner, as the inputs; the loss is what it was
 *
 * For the first the learner's loss must obey `{ reduction: "none" }`, as those of wgrad do; that of the mean counts all samples alike,
 * whatever class weights say. What is drawn follows from the seed and the indices of epoch and batch, so a run can be resumed at any batch.
 * Validation and its metrics see no mixing. Source: fastai, callback/mixup.py.
 */
export abstract class MixCallback implements Callback {
  readonly runValid = false;
  readonly #name: string;
  readonly #seed: number;
  readonly #generator: Generator;
  /** The learner's own loss, while it trains. */
  #loss: LossFunction | undefined;
  /** By shape of the targets. */
  readonly #partners = new Map<string, Partners>();
  /** Of the current batch; undefined when its targets are mixed themselves. */
  #current: Partners | undefined;
  readonly #mixedLoss: LossFunction;

  /** @throws ArgumentError unless alpha is a finite number above 0, and for an impossible seed. */
  constructor(name: string, alpha: number, seed: number) {
    if (!(alpha > 0 && Number.isFinite(alpha))) {
      throw new ArgumentError(name, `alpha is not above 0: ${alpha}`, "Use 0.4, for example");
    }
    this.#name = name;
    this.#seed = seed;
    this.#generator = new Generator(seed);
    this.#mixedLoss = (prediction, target) => this.#mix(prediction, target);
    mixingLosses.add(this.#mixedLoss);
  }

  /** Draws for a batch. @throws ShapeError when samples of this shape cannot be mixed. */
  protected abstract draw(x: Tensor): Mix;

  /** A number in (0, 1). */
  protected readonly uniform = (): number => {
    const [word = 0] = this.#generator.words(1);
    return (word + 0.5) / 2 ** 32;
  };

  beforeTrain(learner: Learner): void {
    this.#restore(learner);
    if (mixingLosses.has(learner.lossFunction)) {
      throw new ArgumentError(
        this.#name,
        "another callback mixes the batches already",
        "Use one of them",
      );
    }
    this.#loss = learner.lossFunction;
    learner.lossFunction = this.#mixedLoss;
  }

  beforeBatch(learner: Learner): void {
    const { x, y } = learner;
    if (x === undefined || y === undefined) return;
    this.#seekTo(learner);
    const { weights, box } = this.draw(x);
    const { device } = x;
    const order = tensor(randomPermutation(x.shape[0] ?? 0, { generator: this.#generator }), {
      device,
    });
    const ownWeights = tensor(weights, { device, shape: [weights.length] });
    learner.x = mixSamples(x, order, box === undefined ? ownWeights : zerosLike(ownWeights), box);
    if (isFloat(y.dtype)) {
      this.#current = undefined;
      learner.y = mixSamples(y, order, ownWeights);
    } else {
      this.#current = this.#remember(indexSelect(y, 0, order), ownWeights);
    }
  }

  afterTrain(learner: Learner): void {
    this.#restore(learner);
  }

  afterCancelEpoch(learner: Learner): void {
    this.#restore(learner);
  }

  cleanUp(learner: Learner): void {
    this.#restore(learner);
    for (const { targets, weights } of this.#partners.values()) {
      targets.release(this.#name);
      weights.release(this.#name);
    }
    this.#partners.clear();
  }

  /** To the numbers of the current batch. */
  #seekTo({ epochsSeen, iteration, iterations }: Learner): void {
    const batch = epochsSeen * iterations + iteration;
    this.#generator.state = { seed: this.#seed, counter: batch * countersOfABatch };
  }

  #restore(learner: Learner): void {
    if (this.#loss !== undefined && learner.lossFunction === this.#mixedLoss) {
      learner.lossFunction = this.#loss;
    }
    this.#loss = undefined;
    this.#current = undefined;
  }

  #remember(targets: Tensor, weights: Tensor): Partners {
    const key = `${targets.dtype}${formatShape(targets.shape)}`;
    const known = this.#partners.get(key);
    if (known === undefined) {
      const made = { targets: keep(targets), weights: keep(weights) };
      this.#partners.set(key, made);
      return made;
    }
    known.targets.assign(targets, this.#name);
    known.weights.assign(weights, this.#name);
    return known;
  }

  #mix(prediction: Tensor, target: Tensor): Tensor {
    const { lossFunction, partners } = this.#forLoss();
    onReplay(() => ({
      isValid: () => this.#loss === lossFunction && this.#current === partners,
    }));
    if (partners === undefined) return lossFunction(prediction, target);
    const own = this.#losses(lossFunction, prediction, target);
    const other = this.#losses(lossFunction, prediction, partners.targets);
    const [count = 0, ...rest] = own.shape;
    const weights = reshape(partners.weights, [count, ...rest.map(() => 1)]);
    return mean(add(other, mul(sub(own, other), weights)));
  }

  #forLoss(): { lossFunction: LossFunction; partners: Partners | undefined } {
    if (this.#loss !== undefined) return { lossFunction: this.#loss, partners: this.#current };
    throw new ArgumentError(
      this.#name,
      "its loss was called outside of training",
      "Do not keep learner.lossFunction while the callback is at work",
    );
  }

  /** One for each sample, or several. */
  #losses(lossFunction: LossFunction, prediction: Tensor, target: Tensor): Tensor {
    const losses = lossFunction(prediction, target, { reduction: "none" });
    const count = target.shape[0] ?? 0;
    if (losses.shape.length > 0 && losses.shape[0] === count) return losses;
    throw notForEachSample(this.#name, losses.shape, count);
  }
}

function notForEachSample(name: string, shape: Shape, count: number): ArgumentError {
  return new ArgumentError(
    name,
    `the loss gave the shape ${formatShape(shape)} for a batch of ${count}, not one number for each sample: it ignores reduction "none"`,
    "Pass the options on: (p, y, options) => crossEntropy(p, y, { labelSmoothing: 0.1, ...options })",
  );
}
