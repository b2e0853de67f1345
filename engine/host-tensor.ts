/** @file Plain arrays in float64 on the host: the language in which the references of the ops are written. No GPU. */
import { sizeOf, stridesOf, type Shape } from "./shape.ts";

export interface HostTensor {
  readonly shape: Shape;
  /** Row-major. */
  readonly data: Float64Array;
}

/** Copies numbers into a host tensor. */
export function hostTensor(shape: Shape, values: ArrayLike<number>): HostTensor {
  return { shape, data: Float64Array.from(values) };
}

/** A host tensor whose element at each index is `element(index)`. The index array is reused: copy it to keep it. */
export function hostFrom(shape: Shape, element: (index: readonly number[]) => number): HostTensor {
  const data = new Float64Array(sizeOf(shape));
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < data.length; i++) {
    data[i] = element(index);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next === shape[axis] ? 0 : next;
      if (next !== shape[axis]) break;
    }
  }
  return { shape, data };
}

/** The element at an index that has the tensor's rank; NaN outside, so that a wrong reference shows. */
export function hostAt({ shape, data }: HostTensor, index: readonly number[]): number {
  const strides = stridesOf(shape);
  let offset = 0;
  for (let axis = 0; axis < shape.length; axis++) {
    const i = index[axis] ?? 0;
    if (i < 0 || i >= (shape[axis] ?? 0)) return NaN;
    offset += i * (strides[axis] ?? 0);
  }
  return data[offset] ?? NaN;
}

/** The element that broadcasting puts at an index of the larger shape: trailing axes aligned, size 1 repeated. */
export function hostAtBroadcast(tensor: HostTensor, index: readonly number[]): number {
  const lead = index.length - tensor.shape.length;
  return hostAt(
    tensor,
    tensor.shape.map((size, axis) => (size === 1 ? 0 : (index[axis + lead] ?? 0))),
  );
}
