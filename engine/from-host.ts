/** @file Tensors from numbers on the host. */
import { defaultDevice, type Device } from "./device/device.ts";
import type { DType } from "./dtype.ts";
import { ShapeError } from "./errors.ts";
import { checkShape, formatShape, sizeOf, type Shape } from "./shape.ts";
import { setRequiresGrad, Tensor, upload } from "./tensor.ts";

/** Numbers nested to any depth: `[[1, 2], [3, 4]]`. */
export type NestedNumbers = number | readonly NestedNumbers[];

export interface TensorOptions {
  /** Default: the nesting of the values, or one axis for a typed array. */
  readonly shape?: Shape;
  /** Default: i32 for an Int32Array, u32 for a Uint32Array, else f32. */
  readonly dtype?: DType;
  /** Default: `defaultDevice()`. */
  readonly device?: Device;
  /** Track gradients for this leaf. Default: false. */
  readonly requiresGrad?: boolean;
}

type NumericArray =
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint32Array
  | Uint16Array
  | Uint8Array
  | Int16Array
  | Int8Array;

/**
 * A tensor from numbers on the host, which are copied.
 *
 * @throws ShapeError when the values are ragged or do not fill the shape.
 * @throws ArgumentError when an integer type cannot hold one of the values: 0.5 as i32, -1 as u32.
 * @throws DTypeError when gradients are asked of an integer type.
 */
export function tensor(values: NestedNumbers | NumericArray, options: TensorOptions = {}): Tensor {
  const { device = defaultDevice("tensor"), requiresGrad = false } = options;
  const nesting = ArrayBuffer.isView(values) ? [values.length] : nestingOf(values);
  const flat = ArrayBuffer.isView(values) ? values : flatten(values, nesting);
  const shape = [...(options.shape ?? nesting)];
  const dtype =
    options.dtype ??
    (values instanceof Int32Array ? "i32" : values instanceof Uint32Array ? "u32" : "f32");
  checkShape("tensor", shape);
  if (sizeOf(shape) !== flat.length) {
    throw new ShapeError(
      "tensor",
      `${flat.length} values do not fill the shape ${formatShape(shape)} of ${sizeOf(shape)}`,
      "Pass one value for each element",
    );
  }
  device.assertUsable("tensor");
  const result = Tensor.allocate("tensor", device, shape, dtype);
  upload("tensor", result, flat);
  if (requiresGrad) setRequiresGrad(result, true);
  return result;
}

/** The numbers of `values`, row-major. Throws `ShapeError` unless `values` is nested as `shape` says throughout. */
function flatten(
  values: NestedNumbers,
  shape: Shape,
  axis = 0,
  flat: number[] = [],
): readonly number[] {
  if (typeof values === "number" && axis === shape.length) flat.push(values);
  else if (typeof values === "object" && values.length === shape[axis])
    for (const row of values) flatten(row, shape, axis + 1, flat);
  else {
    const found = typeof values === "object" ? `a row of ${values.length}` : `a ${typeof values}`;
    throw new ShapeError(
      "tensor",
      `the rows differ: the first ones make the shape ${formatShape(shape)}, but axis ${axis} has ${found}, too`,
      "Make all rows equally long and deep",
    );
  }
  return flat;
}

/** Sizes along the first element of each level. */
function nestingOf(values: NestedNumbers): number[] {
  const shape: number[] = [];
  for (let level = values; typeof level === "object"; level = level[0] ?? 0) {
    shape.push(level.length);
    if (level.length === 0) break;
  }
  return shape;
}
