/** @file Tensors made of nothing: one value everywhere, counted numbers, the identity matrix. They are leaves. */
import { defaultDevice, type Device } from "../device/device.ts";
import { checkElement, isFloat, type DType } from "../dtype.ts";
import { ArgumentError, LimitError } from "../errors.ts";
import { zerosLike } from "../op.ts";
import { checkShape, type Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import { setRequiresGrad, Tensor } from "../tensor.ts";
import { fillWith } from "./fill.ts";

export { zerosLike };

export interface CreateOptions {
  /** Default: f32. */
  readonly dtype?: DType;
  /** Default: `defaultDevice()`. */
  readonly device?: Device;
  /** Track gradients for this leaf. Default: false. */
  readonly requiresGrad?: boolean;
}

/** All 0. Throws `ShapeError` for an impossible shape, `DTypeError` when gradients are asked of an integer type. */
export function zeros(shape: Shape, options: CreateOptions = {}): Tensor {
  return create("zeros", shape, 0, options);
}

/** All 1. Throws as `zeros` does. */
export function ones(shape: Shape, options: CreateOptions = {}): Tensor {
  return create("ones", shape, 1, options);
}

/**
 * All `value`.
 *
 * @throws ArgumentError when the element type cannot hold the value: 0.5 as i32, -1 as u32. And as `zeros` does.
 */
export function full(shape: Shape, value: number, options: CreateOptions = {}): Tensor {
  return create("full", shape, value, options);
}

/** All 1, with the shape, type and device of `like`. */
export function onesLike(like: Tensor): Tensor {
  return fullLike(like, 1);
}

/** All `value`, with the shape, type and device of `like`. Throws `ArgumentError` as `full` does. */
export function fullLike(like: Tensor, value: number): Tensor {
  return create("fullLike", like.shape, value, { dtype: like.dtype, device: like.device });
}

function create(op: string, shape: Shape, value: number, options: CreateOptions): Tensor {
  const { dtype = "f32", device = defaultDevice(op), requiresGrad = false } = options;
  checkShape(op, shape);
  checkElement(op, value, dtype);
  device.assertUsable(op);
  const result = fillWith(Tensor.allocate(op, device, [...shape], dtype), value);
  if (requiresGrad) setRequiresGrad(result, true);
  return result;
}

/**
 * `start, start + step, start + 2 step, ...`, as long as it is before `end`; `arange(end)` counts from 0 by 1. Each element is
 * computed in float64 and rounded once. Shape [count].
 *
 * @throws ArgumentError when the step is 0 or a number is not finite, or the element type cannot hold one of the elements.
 * @throws LimitError when there are more elements than a tensor can have.
 */
export function arange(end: number, options?: CreateOptions): Tensor;
export function arange(start: number, end: number, step?: number, options?: CreateOptions): Tensor;
export function arange(
  first: number,
  second: number | CreateOptions = {},
  step = 1,
  options: CreateOptions = {},
): Tensor {
  if (typeof second !== "number") return count(0, first, 1, second);
  return count(first, second, step, options);
}

function count(start: number, end: number, step: number, options: CreateOptions): Tensor {
  const op = "arange";
  const { dtype = "f32" } = options;
  if (![start, end, step].every(Number.isFinite) || step === 0) {
    throw new ArgumentError(
      op,
      `the numbers do not make a sequence: start ${start}, end ${end}, step ${step}`,
      "Use finite numbers and a step that is not 0",
    );
  }
  const length = Math.max(0, Math.ceil((end - start) / step));
  if (length > 2 ** 30) {
    throw new LimitError(
      op,
      `the sequence has too many elements: ${length}`,
      `The most is ${2 ** 30}`,
    );
  }
  const values = Float64Array.from({ length }, (_, i) => start + i * step);
  if (!isFloat(dtype)) for (const value of values) checkElement(op, value, dtype);
  return tensor(values, { ...options, dtype });
}

/**
 * The identity matrix: 1 on the diagonal, else 0. Shape [rows, columns]; columns default to rows.
 * @throws ShapeError when a size is not a whole number of at least 0.
 */
export function eye(rows: number, columns: number = rows, options: CreateOptions = {}): Tensor {
  checkShape("eye", [rows, columns]);
  const values = new Uint8Array(rows * columns);
  for (let i = 0; i < Math.min(rows, columns); i++) values[i * columns + i] = 1;
  return tensor(values, { dtype: "f32", ...options, shape: [rows, columns] });
}
