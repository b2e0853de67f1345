/** @file Plain numbers as operands: `mul(x, 0.5)`. */
import type { Device } from "../device/device.ts";
import { isFloat, type DType } from "../dtype.ts";
import { ArgumentError, DTypeError } from "../errors.ts";
import { keep } from "../scope.ts";
import { tensor, type Tensor } from "../tensor.ts";

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

/** Throws `ArgumentError` when an integer type cannot hold the value: 0.5 as i32, -1 as u32. */
export function checkElement(op: string, value: number, dtype: DType): void {
  if (isFloat(dtype)) return;
  const [low, high] = dtype === "i32" ? [-(2 ** 31), 2 ** 31 - 1] : [0, 2 ** 32 - 1];
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new ArgumentError(
      op,
      `${dtype} cannot hold the value: ${value}`,
      `Use whole numbers from ${low} to ${high}, or f32`,
    );
  }
}

/** Scalars of a device that were used before, so that `mul(x, 0.5)` in a loop uploads 0.5 once. */
const scalars = new WeakMap<Device, Map<string, Tensor>>();
const maxScalars = 256;

/** A kept scalar of the device and type of `like`. */
export function scalarLike(like: Tensor, value: number): Tensor {
  let known = scalars.get(like.device);
  if (known === undefined) scalars.set(like.device, (known = new Map<string, Tensor>()));
  const key = `${like.dtype} ${Object.is(value, -0) ? "-0" : value}`;
  const cached = known.get(key);
  if (cached !== undefined) return cached;
  if (known.size >= maxScalars) known.clear();
  const scalar = keep(tensor(value, { dtype: like.dtype, device: like.device }));
  known.set(key, scalar);
  return scalar;
}
