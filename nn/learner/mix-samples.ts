/** @file Samples mixed with others of their batch, on the device. Formula: `shaders/augment/mix-batch.wgsl`. */
import source from "../../shaders/augment/mix-batch.wgsl";
import { defineKernel, defineOp, DTypeError, linearGrid, type Tensor } from "../../engine/index.ts";

/** The part of an image that is mixed, in pixels; the ends are excluded. */
export interface MixBox {
  readonly firstRow: number;
  readonly endRow: number;
  readonly firstColumn: number;
  readonly endColumn: number;
}

const kernel = defineKernel({
  name: "mix-batch",
  source,
  grid: ({ size }) => linearGrid(size as number, 64),
});

const mixOp = defineOp<readonly [x: Tensor, partners: Tensor, weights: Tensor], MixBox | undefined>(
  {
    name: "mixSamples",
    output: ([x]) => ({ shape: x.shape }),
    forward: ([x, partners, weights], out, box) => {
      kernel({ x, partners, weights, out }, { size: x.size, ...layoutOf(x, box) });
      return {};
    },
    gradient: null,
  },
);

/** How the kernel sees samples: as one row without a box, else as the rows of an image. */
function layoutOf({ shape, size }: Tensor, box: MixBox | undefined) {
  const [count = 1, rows = 1, width = 1, channels = 1] = shape;
  if (box === undefined) {
    const length = size / count;
    return { rows: 1, row_length: length, first_row: 0, end_row: 1, first: 0, end: length };
  }
  const { firstRow, endRow, firstColumn, endColumn } = box;
  return {
    ...{ rows, row_length: width * channels, first_row: firstRow, end_row: endRow },
    ...{ first: firstColumn * channels, end: endColumn * channels },
  };
}

/**
 * `x[partner] + weight (x - x[partner])` for each sample, inside the box, x outside of it.
 *
 * @param x f32 [n, ...], images [n, height, width, channels] with a box.
 * @param partners u32 [n], samples of x.
 * @param weights f32 [n].
 * @throws DTypeError when x is not f32.
 */
export function mixSamples(x: Tensor, partners: Tensor, weights: Tensor, box?: MixBox): Tensor {
  if (x.dtype !== "f32") {
    throw new DTypeError(
      "mixSamples",
      `samples are f32, not ${x.dtype}: ${x.toString()}`,
      'Use cast(x, "f32")',
    );
  }
  return mixOp([x, partners, weights], box);
}
