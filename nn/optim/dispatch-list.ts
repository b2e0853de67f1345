/**
 * @file One dispatch for several tensors. A kernel binds a fixed number of them, `gradient0`, `gradient1`, ..., and finds by its
 * workgroup which one it works on; see `places` in the shaders.
 */

/** Some tensors of one dispatch. */
export interface Share<T> {
  readonly items: readonly T[];
  /** The first workgroup of each. */
  readonly firstWorkgroups: readonly number[];
  readonly workgroups: number;
  /** COUNT of the shader: how many tensors it has to choose among. */
  readonly overrides: { readonly COUNT: number };
}

/**
 * Elements from which on a tensor has a dispatch to itself, which costs less than to choose: software adapters carry out all branches
 * of a switch for every vec4, with all the loads that are in them.
 */
const large = 2 ** 15;

/**
 * Splits items over dispatches of at most `perDispatch`, and of one where it is large; an item of `n` elements takes
 * `ceil(n / perWorkgroup)` workgroups.
 */
export function shareOut<T>(
  items: readonly T[],
  sizeOf: (item: T) => number,
  perDispatch: number,
  perWorkgroup: number,
): Share<T>[] {
  const share = (chunk: readonly T[], COUNT: number): Share<T> => {
    const firstWorkgroups: number[] = [];
    let workgroups = 0;
    for (const item of chunk) {
      firstWorkgroups.push(workgroups);
      workgroups += Math.ceil(sizeOf(item) / perWorkgroup);
    }
    return { items: chunk, firstWorkgroups, workgroups, overrides: { COUNT } };
  };
  const isLarge = (item: T): boolean => sizeOf(item) >= large;
  const shares = items.filter(isLarge).map((item) => share([item], 1));
  const small = items.filter((item) => !isLarge(item));
  for (let start = 0; start < small.length; start += perDispatch) {
    shares.push(share(small.slice(start, start + perDispatch), perDispatch));
  }
  return shares;
}

/** `gradient0`, `gradient1`, ...: the names of a kernel's bindings. */
export function gradientNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `gradient${i}`);
}

/** Binds tensors to `gradient0`, `gradient1`, ...; names that are left over get `spare`, which no workgroup looks at. */
export function bindGradients<T>(
  gradients: readonly T[],
  count: number,
  spare: (index: number) => T,
): Record<string, T> {
  const bound: Record<string, T> = {};
  for (let i = 0; i < count; i++) bound[`gradient${i}`] = gradients[i] ?? spare(i);
  return bound;
}
