/** @file What the learner needs of a data loader; `DataLoader` of wgrad/data is one. */
import { ArgumentError, type Tensor } from "../../engine/index.ts";

/** Some samples on the device. The tensors belong to the loader. */
export interface Batch {
  /** Inputs of the model. */
  readonly x: Tensor;
  /** Targets of the loss. */
  readonly y: Tensor;
  /** Number of samples. */
  readonly size: number;
}

export interface Loader {
  /** Number of batches in an epoch. */
  readonly length: number;
  /** Samples in a batch; the last one may be smaller. */
  readonly batchSize: number;
  /** Number of samples in the dataset. */
  readonly datasetSize?: number;
  /** A text that differs where samples, targets or order do; a checkpoint holds it, and `resume` refuses another. Default: none. */
  readonly fingerprint?: string;
  /** The batches of the epoch with this index; each stays valid until the next one is asked for. One that loads ahead is asynchronous. */
  epoch(index: number): Iterable<Batch> | AsyncIterable<Batch>;
  /**
   * As `epoch`, from batch number `start` on, for a loader that can leave out the batches before more cheaply than by making them. The
   * batches are the same, bit for bit. Default: a fit that is resumed passes over them.
   */
  epochFrom?(index: number, start: number): Iterable<Batch> | AsyncIterable<Batch>;
}

/** @throws ArgumentError when there is nothing to train on. */
export function requireBatches(op: string, { length, datasetSize }: Loader): void {
  if (length >= 1) return;
  const samples = datasetSize === undefined ? "" : `, of ${datasetSize} samples`;
  throw new ArgumentError(
    op,
    `the training loader has no batches: its length is ${length}${samples}`,
    "Look for the samples that the split, a filter or dropLast left out",
  );
}
