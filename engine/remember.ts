/** @file Values by the numbers and names that they were made for, found without making a string of them: a branch for each. */

export type Step = number | string | boolean;

/** A place for a value, and the places that further steps lead to. */
export interface Branch<T> {
  value: T | undefined;
  readonly branches: Map<Step, Branch<T>>;
}

export function emptyBranch<T>(): Branch<T> {
  return { value: undefined, branches: new Map() };
}

/** The place for `options` behind `start`; the order in which they are written makes a difference. */
export function follow<T>(start: Branch<T>, options: Readonly<Record<string, Step>>): Branch<T> {
  let branch = start;
  for (const name in options) branch = step(step(branch, name), options[name] ?? "");
  return branch;
}

function step<T>({ branches }: Branch<T>, to: Step): Branch<T> {
  let branch = branches.get(to);
  if (branch === undefined) branches.set(to, (branch = emptyBranch()));
  return branch;
}

/** Enough for the shapes of a net; a program whose shapes never repeat must not pile up results. */
const mostResults = 1024;

/** Results of a pure function. Nobody may change them, nor what they were made from. */
export class Remembered<T extends object> {
  #root = emptyBranch<T>();
  #count = 0;

  /** The result for `key`, which says all that `compute` depends on. */
  find(key: readonly Step[], compute: () => T): T {
    let branch = this.#root;
    for (const part of key) branch = step(branch, part);
    if (branch.value !== undefined) return branch.value;
    if (this.#count++ >= mostResults) this.#forget();
    return (branch.value = compute());
  }

  #forget(): void {
    this.#root = emptyBranch();
    this.#count = 0;
  }
}

/** The function `compute`, of numbers and names, that computes each result once. */
export function remember<K extends readonly Step[], T extends object>(
  compute: (...key: K) => T,
): (...key: K) => T {
  const results = new Remembered<T>();
  return (...key) => results.find(key, () => compute(...key));
}
