/**
 * @file The fit loop: epochs, batches, events. It records the work of a batch and goes on to the next while the device computes;
 * losses are read when they arrive. Source of the events: fastai, learner.py.
 */
import {
  backward,
  capture,
  onReplay,
  openScope,
  type CapturedStep,
  type Tensor,
} from "../../engine/index.ts";
import type { BatchEvent, CallbackList, EpochEvent, LossReading } from "./callback.ts";
import {
  CancelBackwardException,
  CancelBatchException,
  CancelEpochException,
  CancelException,
  CancelFitException,
  CancelStepException,
  CancelTrainException,
  CancelValidException,
} from "./cancel.ts";
import { batchesInFlight, evaluate } from "./evaluate.ts";
import type { FitPlace, ResumePoint } from "./checkpoint.ts";
import type { FitTuning } from "./fit-tuning.ts";
import { InFlight } from "./in-flight.ts";
import type { Learner } from "./learner.ts";
import type { Batch, Loader } from "./loader.ts";
import { remainingBatches } from "./resume.ts";
import { Validation } from "./validation.ts";

export interface FitLoopOptions {
  readonly tuning: FitTuning | undefined;
  /** Replay the training step; see `LearnerOptions.replay`. */
  readonly replay: boolean;
  /** Where to go on; undefined: at the beginning. */
  readonly resumed: ResumePoint | undefined;
}

/** What is left of a training step. */
interface StepResults extends Readonly<Record<string, Tensor | undefined>> {
  readonly loss: Tensor | undefined;
  readonly predictions: Tensor | undefined;
}

/** One fit of a learner, whose public fields are its state. */
export class FitLoop {
  readonly #learner: Learner;
  readonly #callbacks: CallbackList;
  readonly #tuning: FitTuning | undefined;
  readonly #resumed: ResumePoint | undefined;
  readonly #losses = new InFlight<LossReading>();
  /** The training step, when it is replayed. */
  readonly #captured: CapturedStep<readonly [Tensor, Tensor], StepResults> | undefined;

  #place: FitPlace;
  #hasBegun = false;

  constructor(learner: Learner, callbacks: CallbackList, options: FitLoopOptions) {
    const { tuning, replay, resumed } = options;
    this.#resumed = resumed;
    const { epochsSeen } = learner;
    this.#place = resumed?.place ?? { epoch: 0, iteration: 0, step: 0, epochsSeen };
    this.#learner = learner;
    this.#callbacks = callbacks;
    this.#tuning = tuning;
    if (replay && callbacks.areReplayable) {
      this.#captured = capture((x: Tensor, y: Tensor) => this.#stepOn(x, y));
    }
  }

  /** What is done; between the batches and from `afterEpoch` on. */
  get place(): FitPlace {
    return this.#place;
  }

  /** Whether it has come past `beforeFit`, in which callbacks may refuse it. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  async run(epochs: number): Promise<void> {
    const learner = this.#learner;
    const { epoch, iteration, step } = this.#place;
    Object.assign(learner, { epochs, epoch, iteration, step, stopReason: undefined });
    try {
      await this.#phase("Fit", CancelFitException, async () => {
        this.#restore();
        this.#hasBegun = true;
        for (; learner.epoch < epochs; learner.epoch++) {
          await this.#phase("Epoch", CancelEpochException, () => this.#epoch());
        }
      });
    } finally {
      this.#captured?.release();
      this.#callbacks.cleanUp(learner);
    }
  }

  /** After `beforeFit`, which begins everything anew. */
  #restore(): void {
    if (this.#resumed === undefined) return;
    this.#callbacks.loadStates(this.#resumed.callbacks);
    this.#resumed.restoreRandom();
  }

  async #epoch(): Promise<void> {
    const { train, valid, model, epoch } = this.#learner;
    const { iteration: skip } = this.#place;
    this.#learner.validation = undefined;
    // Before the callbacks, which may switch single layers to evaluation.
    model.train();
    this.#beginLoader(train, true, skip);
    try {
      await this.#phase("Train", CancelTrainException, () => this.#trainEpoch(train, skip));
      if (valid === undefined) return;
      await this.#phase("Validate", CancelValidException, () => this.#validateEpoch(valid));
    } finally {
      // Also where the epoch was cut short: the next one has an order of its own.
      const epochsSeen = ++this.#learner.epochsSeen;
      this.#place = { epoch: epoch + 1, iteration: 0, step: this.#learner.step, epochsSeen };
    }
  }

  async #trainEpoch(train: Loader, skip: number): Promise<void> {
    const learner = this.#learner;
    try {
      for await (const batch of this.#batches(train, skip)) {
        this.#trainBatch(batch);
        learner.iteration++;
        learner.step++;
        await this.#tuning?.measure();
        await this.#readLosses(batchesInFlight);
        await this.#betweenBatches();
      }
    } catch (error) {
      if (error instanceof CancelException) await this.#readLosses(0);
      throw error;
    }
    await this.#readLosses(0);
  }

  #batches(train: Loader, skip: number): Iterable<Batch> | AsyncIterable<Batch> {
    const { epochsSeen } = this.#learner;
    if (skip === 0) return train.epoch(epochsSeen);
    return remainingBatches(train, epochsSeen, skip, () => this.#resumed?.restoreRandom());
  }

  #betweenBatches(): Promise<void> | undefined {
    const { epoch, iteration, step, epochsSeen } = this.#learner;
    this.#place = { epoch, iteration, step, epochsSeen };
    return this.#callbacks.betweenBatches(this.#learner, () => this.#readLosses(0));
  }

  #trainBatch(batch: Batch): void {
    const learner = this.#learner;
    using _scope = openScope();
    using _watch = this.#tuning?.watch(batch);
    this.#beginBatch(batch);
    try {
      this.#batchPhase("Batch", CancelBatchException, () => {
        const { x, y } = learner;
        if (this.#captured === undefined || x === undefined || y === undefined) this.#step();
        else Object.assign(learner, this.#captured(x, y), { x, y });
      });
    } finally {
      this.#askForLoss();
    }
  }

  /** Forward pass, backward pass and update. */
  #step(): void {
    const { optimizer } = this.#learner;
    const loss = this.#forward();
    this.#batchPhase("Backward", CancelBackwardException, () => {
      backward(loss);
    });
    this.#batchPhase("Step", CancelStepException, () => {
      optimizer.step();
    });
    optimizer.zeroGrad();
  }

  /** A step on inputs of its own, as a replay repeats it. */
  #stepOn(x: Tensor, y: Tensor): StepResults {
    const learner = this.#learner;
    const { lossFunction, optimizer } = learner;
    onReplay(() => ({
      isValid: () => learner.lossFunction === lossFunction && learner.optimizer === optimizer,
    }));
    Object.assign(learner, { x, y });
    this.#step();
    const { loss, predictions } = learner;
    return { loss, predictions: predictions?.isFreed === true ? undefined : predictions };
  }

  #askForLoss(): void {
    const { loss, step, epoch } = this.#learner;
    if (loss === undefined || loss.isFreed) return;
    this.#losses.add(loss.item().then((value) => ({ loss: value, step, epoch })));
  }

  async #readLosses(allowed: number): Promise<void> {
    await this.#losses.settle(allowed, (reading) => {
      this.#callbacks.lossRead(this.#learner, reading);
    });
  }

  async #validateEpoch(valid: Loader): Promise<void> {
    const learner = this.#learner;
    this.#beginLoader(valid, false);
    const validation = new Validation(learner.metrics);
    const body = (batch: Batch): void => {
      this.#validateBatch(batch, validation);
      learner.iteration++;
    };
    await evaluate("fit", learner.model, valid, body, () => this.#tuning?.measure());
    learner.validation = await validation.result();
  }

  #validateBatch(batch: Batch, validation: Validation): void {
    const learner = this.#learner;
    using _watch = this.#tuning?.watch(batch);
    this.#beginBatch(batch);
    this.#batchPhase("Batch", CancelBatchException, () => {
      const loss = this.#forward();
      const { predictions, y } = learner;
      if (predictions === undefined || y === undefined) return;
      validation.update(predictions, y, loss, batch.size);
    });
  }

  #beginLoader({ length }: Loader, training: boolean, iteration = 0): void {
    this.#learner.training = training;
    this.#learner.iteration = iteration;
    this.#learner.iterations = length;
  }

  #beginBatch(batch: Batch): void {
    const { x, y } = batch;
    Object.assign(this.#learner, { batch, x, y, predictions: undefined, loss: undefined });
  }

  /** The loss of the current batch. */
  #forward(): Tensor {
    const learner = this.#learner;
    const { x, y } = learner;
    if (x === undefined || y === undefined) throw new CancelBatchException();
    learner.predictions = learner.model.forward(x);
    this.#callbacks.callInBatch("afterPred", learner);
    learner.loss = learner.lossFunction(learner.predictions, y);
    this.#callbacks.callInBatch("afterLoss", learner);
    return learner.loss;
  }

  /** `before...`, the body, `after...`; a matching exception cuts the body short and adds `afterCancel...`. */
  async #phase(
    name: "Fit" | "Epoch" | "Train" | "Validate",
    Cancel: new () => CancelException,
    body: () => Promise<void>,
  ): Promise<void> {
    const call = (event: EpochEvent) => this.#callbacks.call(event, this.#learner);
    try {
      await call(`before${name}`);
      await body();
    } catch (error) {
      if (!(error instanceof Cancel)) throw error;
      await call(`afterCancel${name}`);
    }
    await call(`after${name}`);
  }

  /** As `#phase`, within a batch, where nothing waits. */
  #batchPhase(
    name: "Batch" | "Backward" | "Step",
    Cancel: new () => CancelException,
    body: () => void,
  ): void {
    const call = (event: BatchEvent): void => {
      this.#callbacks.callInBatch(event, this.#learner);
    };
    try {
      call(`before${name}`);
      body();
    } catch (error) {
      if (!(error instanceof Cancel)) throw error;
      call(`afterCancel${name}`);
    }
    call(`after${name}`);
  }
}
