/** @file Host arrays between wgrad's layouts (NHWC, [kh, kw, in, out]) and those of ONNX and PyTorch (NCHW, OIHW). */
import { stridesOf, sizeOf, type Shape } from "../../engine/index.ts";

export interface HostArray {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/** `out[i0, i1, ...] = x[i_axes...]`: axis k of the result is axis `axes[k]` of x. */
export function permuted({ shape, data }: HostArray, axes: readonly number[]): HostArray {
  const target = axes.map((axis) => shape[axis] ?? 0);
  const strides = stridesOf(shape);
  const sources = axes.map((axis) => strides[axis] ?? 0);
  const out = new Float32Array(sizeOf(target));
  const targetStrides = stridesOf(target);
  for (let i = 0; i < out.length; i++) {
    let offset = 0;
    for (const [axis, stride] of targetStrides.entries()) {
      offset += (Math.floor(i / stride) % (target[axis] ?? 1)) * (sources[axis] ?? 0);
    }
    out[i] = data[offset] ?? NaN;
  }
  return { shape: target, data: out };
}

export const toNchw = (x: HostArray): HostArray => permuted(x, [0, 3, 1, 2]);
export const toNhwc = (x: HostArray): HostArray => permuted(x, [0, 2, 3, 1]);
/** [kh, kw, in, out] to OIHW. */
export const toOihw = (w: HostArray): HostArray => permuted(w, [3, 2, 0, 1]);

/** Seeded numbers in [-1, 1). */
export function randomArray(shape: Shape, random: () => number): HostArray {
  return { shape, data: Float32Array.from({ length: sizeOf(shape) }, () => 2 * random() - 1) };
}
