/** @file Plain numbers as operands: `mul(x, 0.5)`. */
import type { Device } from "../device/device.ts";
import { checkElement } from "../dtype.ts";
import { DTypeError } from "../errors.ts";
import { keep } from "../scope.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";

/** Turns a plain number into a scalar tensor of the other operand's type. */
export function operands(
  op: string,
  a: Tensor | number,
  b: Tensor | number,
): readonly [Tensor, Tensor] {
  if (typeof a !== "number") return [a, typeof b === "number" ? operand(op, a, b) : b];
  if (typeof b !== "number") return [operand(op, b, a), b];
  throw new DTypeError(
    op,
    `both operands are plain numbers: ${a} and ${b}`,
    "Make one of them a tensor",
  );
}

function operand(op: string, like: Tensor, value: number): Tensor {
  checkElement(op, value, like.dtype);
  return scalarLike(like, value);
}

/** The scalars that a device used last, oldest first, so that `mul(x, 0.5)` in a loop uploads 0.5 once. */
const scalars = new WeakMap<Device, Map<string, Tensor>>();
const maxScalars = 256;

/** A scalar of the device and type of `like`, which lives until 256 others were used after it. */
function scalarLike(like: Tensor, value: number): Tensor {
  const { dtype, device } = like;
  const known = scalars.get(device) ?? new Map<string, Tensor>();
  scalars.set(device, known);
  const key = `${dtype} ${Object.is(value, -0) ? "-0" : value}`;
  const scalar = known.get(key) ?? keep(tensor(value, { dtype, device }));
  known.delete(key);
  known.set(key, scalar);
  if (known.size > maxScalars) dropOldest(known);
  return scalar;
}

/** A scalar that a graph still needs is left to the garbage collector. */
function dropOldest(known: Map<string, Tensor>): void {
  const [oldest] = known;
  if (oldest === undefined) return;
  const [key, scalar] = oldest;
  known.delete(key);
  if (scalar.uses === 0) scalar.release("the cache of scalars");
}
