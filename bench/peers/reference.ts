/** @file Single elements of matrix products, convolutions and their gradients in float64, straight from the definitions. */
import type { HostArray } from "../../test/oracles/layout.ts";
import { outSize, paddingOf, type Convolution } from "./convolution.ts";

/** `c[i, j] = sum over k of a[i, k] b[k, j]`; takes the position in the row-major c. */
export function matmulElement(
  [a, b]: readonly HostArray[],
  size: number,
): (result: number, position: number) => number {
  return (_, position) => {
    const [row, column] = [Math.floor(position / size), position % size];
    let sum = 0;
    for (let k = 0; k < size; k++) {
      sum += (a?.data[row * size + k] ?? NaN) * (b?.data[k * size + column] ?? NaN);
    }
    return sum;
  };
}

/**
 * Elements of y, dx and dw, by their number and their position: every product `x[n, u, v, c] w[r, s, c, o]` belongs to one y[n, i, j,
 * o] with `u = i stride + r - padding`, `v = j stride + s - padding`.
 */
export function convolutionElement(
  [x, w, dy]: readonly HostArray[],
  convolution: Convolution,
): (result: number, position: number) => number {
  const { batch, size, inChannels, outChannels, kernel, stride } = convolution;
  const out = outSize(convolution);
  const padding = paddingOf(kernel);
  const at = (array: HostArray | undefined, index: number): number => array?.data[index] ?? NaN;
  const image = (n: number, row: number, column: number, side: number): number =>
    (n * side + row) * side + column;
  const tap = (r: number, s: number, c: number, o: number): number =>
    ((r * kernel + s) * inChannels + c) * outChannels + o;

  const y = (position: number): number => {
    const [n, i, j, o] = unravel(position, [batch, out, out, outChannels]);
    let sum = 0;
    for (let r = 0; r < kernel; r++) {
      for (let s = 0; s < kernel; s++) {
        const [u, v] = [i * stride + r - padding, j * stride + s - padding];
        if (!inside(u, size) || !inside(v, size)) continue;
        for (let c = 0; c < inChannels; c++)
          sum += at(x, image(n, u, v, size) * inChannels + c) * at(w, tap(r, s, c, o));
      }
    }
    return sum;
  };
  const dx = (position: number): number => {
    const [n, u, v, c] = unravel(position, [batch, size, size, inChannels]);
    let sum = 0;
    for (let r = 0; r < kernel; r++) {
      for (let s = 0; s < kernel; s++) {
        const [i, j] = [(u + padding - r) / stride, (v + padding - s) / stride];
        if (!inside(i, out) || !inside(j, out)) continue;
        for (let o = 0; o < outChannels; o++)
          sum += at(dy, image(n, i, j, out) * outChannels + o) * at(w, tap(r, s, c, o));
      }
    }
    return sum;
  };
  const dw = (position: number): number => {
    const [r, s, c, o] = unravel(position, [kernel, kernel, inChannels, outChannels]);
    let sum = 0;
    for (let n = 0; n < batch; n++) {
      for (let i = 0; i < out; i++) {
        for (let j = 0; j < out; j++) {
          const [u, v] = [i * stride + r - padding, j * stride + s - padding];
          if (!inside(u, size) || !inside(v, size)) continue;
          sum +=
            at(x, image(n, u, v, size) * inChannels + c) *
            at(dy, image(n, i, j, out) * outChannels + o);
        }
      }
    }
    return sum;
  };
  const elements = [y, dx, dw];
  return (result, position) => elements[result]?.(position) ?? NaN;
}

function inside(index: number, size: number): boolean {
  return Number.isInteger(index) && index >= 0 && index < size;
}

type Index = [a: number, b: number, c: number, d: number];

function unravel(position: number, shape: Index): Index {
  const index: Index = [0, 0, 0, 0];
  let rest = position;
  for (const axis of [3, 2, 1, 0] as const) {
    index[axis] = rest % shape[axis];
    rest = Math.floor(rest / shape[axis]);
  }
  return index;
}
