/**
 * @file How far the host may run ahead of the device: it records a step while earlier ones are computed, but no more than a few,
 * or uploads and results would pile up.
 */

/** Work that was submitted and is not known to be done. */
export class InFlight<T> {
  readonly #queue: Promise<T>[] = [];

  /** Adds work; its result, or its error, comes out of `settle`. */
  add(work: Promise<T>): void {
    this.#queue.push(awaitedLater(work));
  }

  /** Waits until at most `allowed` are left, and hands on the results of the others, oldest first. */
  async settle(allowed: number, consume?: (result: T) => void): Promise<void> {
    while (this.#queue.length > allowed) {
      const [oldest] = this.#queue.splice(0, 1);
      if (oldest === undefined) return;
      const result = await oldest;
      consume?.(result);
    }
  }
}

/** Returns its argument. An error of the device reaches many promises at once, and must not end the process before one is awaited. */
export function awaitedLater<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}
