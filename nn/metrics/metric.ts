/** @file What a metric is: numbers accumulated over batches on the device, read when they are wanted. */
import { keep, zeros, type DType, type Shape, type Tensor } from "../../engine/index.ts";

/** A measure of predictions against targets, over any number of batches. */
export interface Metric {
  /** The heading of its column. */
  readonly name: string;
  /** Forgets everything; called before each validation. */
  reset(): void;
  /** Adds a batch. Records a dispatch and waits for nothing. */
  update(predictions: Tensor, targets: Tensor): void;
  /** The value over all batches since `reset`, NaN when there was none; waits for the device. */
  value(): Promise<number>;
}

/** Numbers on the device that batches are added to; made at the first batch, on its device. */
export class Accumulator {
  readonly #shape: Shape;
  readonly #dtype: DType;
  #sums: Tensor | undefined;

  constructor(size: number, dtype: DType) {
    this.#shape = [size];
    this.#dtype = dtype;
  }

  reset(): void {
    this.#sums?.release("reset");
    this.#sums = undefined;
  }

  /** The sums, zero after `reset`, on the device of `like`. */
  on(like: Tensor): Tensor {
    return (this.#sums ??= keep(zeros(this.#shape, { dtype: this.#dtype, device: like.device })));
  }

  /** The sums on the host; all zero when there was no batch. */
  async read(): Promise<number[]> {
    return this.#sums === undefined
      ? new Array<number>(this.#shape[0] ?? 0).fill(0)
      : [...(await this.#sums.data())];
  }
}
