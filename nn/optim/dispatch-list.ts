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
}

/** Splits items over dispatches of at most `perDispatch`; an item of `n` elements takes `ceil(n / perWorkgroup)` workgroups. */
export function shareOut<T>(
  items: readonly T[],
  sizeOf: (item: T) => number,
  perDispatch: number,
  perWorkgroup: number,
): Share<T>[] {
  const shares: Share<T>[] = [];
  for (let start = 0; start < items.length; start += perDispatch) {
    const chunk = items.slice(start, start + perDispatch);
    const firstWorkgroups: number[] = [];
    let workgroups = 0;
    for (const item of chunk) {
      firstWorkgroups.push(workgroups);
      workgroups += Math.ceil(sizeOf(item) / perWorkgroup);
    }
    shares.push({ items: chunk, firstWorkgroups, workgroups });
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
