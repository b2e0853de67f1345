/**
 * @file Who frees what. Every tensor holds a lease on its memory. The lease ends when the tape has used the value for the last
 * time, when the scope closes in which the tensor was made, or, as a safety net for tensors under no scope, when the garbage collector
 * takes the tensor.
 */

/** Right to a piece of device memory; ends once, after which `release` does nothing. */
export interface Lease {
  /** The scope that ends the lease, if one does. */
  scope: Scope | undefined;
  /** Ends the lease; `by` is for the error of who uses the tensor afterwards. */
  release(by: string): void;
}

/** A tensor. */
interface Held {
  readonly lease: Lease;
}

let innermost: Scope | undefined;

/** The safety net. Scopes need none, and a registration takes up to a microsecond. */
const collector = new FinalizationRegistry<Lease>((lease) => {
  lease.release("the garbage collector");
});

/**
 * A region of the program at whose end the tensors made in it are freed, except those that were kept.
 *
 * ```ts
 * using scope = openScope();
 * const probabilities = scope.keep(softmax(model.forward(x)));
 * ```
 *
 * Scopes nest and belong to synchronous code: close one before you await. `Learner` puts each step in one. A training loop
 * of one's own runs without, because `backward` frees nearly all that it used, but then each step leaves its batch, its
 * prediction and its loss to the garbage collector.
 */
export class Scope implements Disposable {
  readonly #outer: Scope | undefined;
  readonly #leases: Lease[] = [];
  #open = true;

  /** Use `openScope`. */
  constructor(outer: Scope | undefined) {
    this.#outer = outer;
  }

  /** Puts a lease under this scope. */
  adopt(lease: Lease): void {
    lease.scope = this;
    this.#leases.push(lease);
  }

  /** Lets `held` outlive this scope: it goes to the enclosing one, if any. Returns its argument. */
  keep<T extends Held>(held: T): T {
    if (held.lease.scope === this) putUnder(this.#outer, held);
    return held;
  }

  /** Closes the scope and any left open inside it, for example by an exception. Twice is harmless. */
  [Symbol.dispose](): void {
    if (!this.#open) return;
    while (innermost !== undefined && innermost !== this) innermost[Symbol.dispose]();
    innermost = this.#outer;
    this.#open = false;
    for (const lease of this.#leases)
      if (lease.scope === this) lease.release("the end of its scope");
    this.#leases.length = 0;
  }
}

/** Opens a scope inside the current one. Close it with `using`, or by `scope[Symbol.dispose]()`. */
export function openScope(): Scope {
  innermost = new Scope(innermost);
  return innermost;
}

/**
 * `tensor` itself when it was made in `scope`, else a view of it: so whoever gets the result may free it without taking it from
 * another owner.
 */
export function ownedBy<T extends Held & { alias(): T }>(scope: Scope, tensor: T): T {
  return tensor.lease.scope === scope ? tensor : tensor.alias();
}

/** Puts a tensor's lease under a scope; under none, the garbage collector ends it. */
export function putUnder(scope: Scope | undefined, held: Held): void {
  if (scope !== undefined) {
    scope.adopt(held.lease);
    return;
  }
  held.lease.scope = undefined;
  collector.register(held, held.lease);
}

/** Puts a new tensor under the current scope. */
export function adopt(held: Held): void {
  putUnder(innermost, held);
}

/**
 * Lets a tensor outlive every scope and `backward`: it lives until it is released or the garbage collector takes it.
 * For parameters, optimizer state and results. Returns its argument.
 */
export function keep<T extends Held & { kept: boolean }>(held: T): T {
  if (held.lease.scope !== undefined) putUnder(undefined, held);
  held.kept = true;
  return held;
}
