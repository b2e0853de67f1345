/** @file A limit on how many tasks run at a time, with a way to stop. */

/** Starts tasks in the order in which they come, at most `atOnce` at a time. */
export class Limiter {
  readonly #atOnce: number;
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<Promise<unknown>>();
  #closed = false;

  constructor(atOnce: number) {
    this.#atOnce = atOnce;
  }

  /**
   * The task's result, once its turn has come. A rejection that nobody awaits is not reported as unhandled: who closes early is not
   * interested any more.
   */
  run<T>(task: () => Promise<T>): Promise<T> {
    const result = new Promise<T>((resolve, reject) => {
      this.#waiting.push(() => {
        const running = task();
        this.#running.add(running);
        void running.then(resolve, reject).then(() => {
          this.#running.delete(running);
          this.#startNext();
        });
      });
    });
    result.catch(() => undefined);
    this.#startNext();
    return result;
  }

  /** Drops what has not begun; its promises stay open for ever. Resolves when nothing runs any more. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.length = 0;
    await Promise.allSettled(this.#running);
  }

  #startNext(): void {
    while (!this.#closed && this.#running.size < this.#atOnce) {
      const start = this.#waiting.shift();
      if (start === undefined) return;
      start();
    }
  }
}
