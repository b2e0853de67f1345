/** @file Values by the options that they were made for, found without making a key: a branch for each name and each value. */

/** A place for a value, and the places that further options lead to. */
export interface Branch<T> {
  value: T | undefined;
  readonly branches: Map<number | string, Branch<T>>;
}

export function emptyBranch<T>(): Branch<T> {
  return { value: undefined, branches: new Map() };
}

/** The place for `options` behind `start`; the order in which they are written makes a difference. */
export function follow<T>(
  start: Branch<T>,
  options: Readonly<Record<string, number | string>>,
): Branch<T> {
  let branch = start;
  for (const name in options) branch = step(step(branch, name), options[name] ?? "");
  return branch;
}

function step<T>({ branches }: Branch<T>, to: number | string): Branch<T> {
  let branch = branches.get(to);
  if (branch === undefined) branches.set(to, (branch = emptyBranch()));
  return branch;
}
