/**
 * @file Exceptions by which a callback ends a part of the fit early. The fit goes on at the matching `afterCancel...` event and
 * then the `after...` event. Source: fastai, learner.py.
 */

/** Base of all of them. */
export abstract class CancelException extends Error {
  constructor(message = "cancelled by a callback") {
    super(message);
    this.name = new.target.name;
  }
}

/** Skips the backward pass; the optimizer still steps. */
export class CancelBackwardException extends CancelException {}

/** Skips the optimizer's step; the gradients are still cleared. */
export class CancelStepException extends CancelException {}

/** Skips the rest of the batch. */
export class CancelBatchException extends CancelException {}

/** Ends the training part of the epoch; validation follows. */
export class CancelTrainException extends CancelException {}

/** Ends the validation of the epoch. */
export class CancelValidException extends CancelException {}

/** Ends the epoch; the next one follows. */
export class CancelEpochException extends CancelException {}

/** Ends the fit. */
export class CancelFitException extends CancelException {}
