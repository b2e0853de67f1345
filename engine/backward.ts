/** @file The public face of automatic differentiation: `backward`, `grad`, `detach`. The walk itself is in `tape.ts`. */
import { sameDevice } from "./device/device.ts";
import { ArgumentError, DTypeError, ShapeError } from "./errors.ts";
import { isFloat } from "./dtype.ts";
import { add } from "./ops/binary.ts";
import { fullLike } from "./ops/create.ts";
import { sumTo } from "./ops/reduce.ts";
import { onReplay, type HostPart } from "./replay.ts";
import { keep } from "./scope.ts";
import { formatShape, shapesEqual } from "./shape.ts";
import { noGrad, walkBackward, type WalkOptions } from "./tape.ts";
import type { Tensor } from "./tensor.ts";

export interface BackwardOptions extends WalkOptions {
  /** The gradient of the result, of its shape. Default: 1, for a loss of one element. */
  readonly gradient?: Tensor;
}

/**
 * Adds to `.grad` of every leaf that `loss` was computed from, and that has `requiresGrad`, the gradient of `loss`. Then the
 * graph and its intermediate values are freed, except `loss` and the tensors that it was computed from directly; `keep` a
 * value before to read it afterwards.
 *
 * The rules read inputs and results as they are now: do not overwrite a parameter between computing the loss and this call.
 *
 * @throws ShapeError when `loss` has more than one element and no `gradient` is given, or `gradient` has another shape.
 * @throws DTypeError when `gradient` has another element type.
 * @throws ArgumentError when nothing leads to a leaf, or the graph was freed by an earlier call.
 */
export function backward(loss: Tensor, options: BackwardOptions = {}): void {
  carry("backward", loss, options, (leaf, gradient) => {
    const earlier = leaf.grad;
    onReplay(() => withoutGradient(leaf));
    leaf.grad = keep(earlier === undefined ? gradient : add(earlier, gradient));
    if (earlier === undefined) return;
    earlier.release("backward");
    gradient.release("backward");
  });
}

/** A replay neither reads nor sets the field `grad`. */
function withoutGradient(leaf: Tensor): HostPart {
  return {
    isValid: () => leaf.grad === undefined,
    leaves: () => (leaf.grad === undefined ? undefined : "gradients of leaves"),
  };
}

/**
 * Gradients of `loss` for the given leaves, by the names you give them; `.grad` is not touched. A leaf that the loss does not
 * depend on, or that does not want a gradient, gets null. Frees the graph as `backward` does.
 *
 * ```ts
 * const { weight, bias } = grad(loss, { weight: layer.weight, bias: layer.bias });
 * ```
 *
 * @throws ArgumentError when one of `leaves` was computed. And as `backward` does.
 */
export function grad<Name extends string>(
  loss: Tensor,
  leaves: Readonly<Record<Name, Tensor>>,
  options: BackwardOptions = {},
): Record<Name, Tensor | null> {
  const names = Object.keys(leaves) as Name[];
  const wanted = new Set(names.map((name) => leaves[name]));
  for (const leaf of wanted) {
    if (leaf.node === undefined) continue;
    throw new ArgumentError(
      "grad",
      `not a leaf: ${leaf.toString()} was computed`,
      "Use detach(t) with requiresGrad, and compute from that",
    );
  }
  const found = new Map<Tensor, Tensor>();
  carry("grad", loss, options, (leaf, gradient) => {
    if (wanted.has(leaf)) found.set(leaf, keep(gradient));
    else gradient.release("grad");
  });
  return Object.fromEntries(names.map((name) => [name, found.get(leaves[name]) ?? null])) as Record<
    Name,
    Tensor | null
  >;
}

/** The same value cut off from the tape: a view that wants no gradient. */
export function detach(t: Tensor): Tensor {
  return t.alias(t.shape, "detach");
}

function carry(
  op: string,
  loss: Tensor,
  options: BackwardOptions,
  deliver: (leaf: Tensor, gradient: Tensor) => void,
): void {
  const { gradient } = options;
  checkLoss(op, loss);
  if (gradient !== undefined) checkGradient(op, gradient, loss);
  else if (loss.size !== 1) {
    throw new ShapeError(
      op,
      `the gradient of a result of shape ${formatShape(loss.shape)} is not a single number`,
      "Reduce it with mean() or sum(), or pass { gradient } of the same shape",
    );
  }
  sameDevice(op, [loss.device, (gradient ?? loss).device]);
  const seed = gradient ?? fullLike(loss, 1);
  noGrad(() => {
    walkBackward(loss, seed, { add, sumTo }, deliver, options);
  });
  if (gradient === undefined) seed.release(op);
}

function checkLoss(op: string, loss: Tensor): void {
  if (!loss.requiresGrad) {
    throw new ArgumentError(
      op,
      `nothing to differentiate: ${loss.toString()} was not computed from a leaf with requiresGrad`,
      "Create a leaf with { requiresGrad: true }, and compute outside noGrad",
    );
  }
  if (!isFloat(loss.dtype))
    throw new DTypeError(op, `integers have no gradient: ${loss.toString()}`, "Use f32");
}

function checkGradient(op: string, gradient: Tensor, loss: Tensor): void {
  if (!shapesEqual(gradient.shape, loss.shape)) {
    throw new ShapeError(
      op,
      `the gradient has the wrong shape: ${formatShape(gradient.shape)} for ${formatShape(loss.shape)}`,
      "Pass one of the shape of the result",
    );
  }
  if (gradient.dtype !== loss.dtype) {
    throw new DTypeError(
      op,
      `the gradient has the wrong element type: ${gradient.dtype} for ${loss.dtype}`,
      `Use cast(gradient, "${loss.dtype}")`,
    );
  }
}
