/** @file What parts of a tensor mean: Python's slices. */
import { hostAt, hostFrom, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpSample } from "../op-case.ts";
import { concat } from "./concat.ts";
import { ones, zeros } from "./create.ts";
import { chunk, slice, split, type SliceBound } from "./slice.ts";

interface SliceArguments {
  readonly starts: readonly SliceBound[];
  readonly ends: readonly SliceBound[];
  readonly steps?: readonly number[];
}

/** The indices that Python's `range(size)[start:end:step]` holds, walked one by one. */
function slicedIndices(size: number, start: SliceBound, end: SliceBound, step: number): number[] {
  const place = (bound: number): number => (bound < 0 ? bound + size : bound);
  const isBefore = (i: number): boolean => {
    if (end === null) return true;
    return step > 0 ? i < place(end) : i > place(end);
  };
  const first = start === null ? (step > 0 ? 0 : size - 1) : place(start);
  const indices: number[] = [];
  // A start outside is moved to the nearest element that the walk can visit.
  let i = step > 0 ? Math.max(first, 0) : Math.min(first, size - 1);
  for (; i >= 0 && i < size && isBefore(i); i += step) indices.push(i);
  return indices;
}

export function sliceReference(
  x: HostTensor,
  { starts, ends, steps = [] }: SliceArguments,
): HostTensor {
  const chosen = x.shape.map((size, axis) =>
    slicedIndices(size, starts[axis] ?? null, ends[axis] ?? null, steps[axis] ?? 1),
  );
  return hostFrom(
    chosen.map(({ length }) => length),
    (index) =>
      hostAt(
        x,
        index.map((i, axis) => chosen[axis]?.[i] ?? NaN),
      ),
  );
}

function sample(input: InputSpec, args: SliceArguments): OpSample<SliceArguments> {
  const { starts, ends, steps = [] } = args;
  const text = starts.map(
    (start, axis) => `${start ?? ""}:${ends[axis] ?? ""}:${steps[axis] ?? ""}`,
  );
  const feature = input.dtype === "f16" ? { feature: "shader-f16" as const } : {};
  return { note: `[${text.join(", ")}]`, inputs: [input], args, tolerance: 0, ...feature };
}

export const sliceCase = opCase<SliceArguments>({
  ops: ["slice"],
  title: "slice",
  run: ([x = zeros([])], { starts, ends, steps }) => slice(x, starts, ends, steps),
  reference: ([x = { shape: [], data: new Float64Array() }], args) => sliceReference(x, args),
  samples: [
    sample({ shape: [] }, { starts: [], ends: [] }),
    sample({ shape: [5] }, { starts: [1], ends: [4] }),
    sample({ shape: [5] }, { starts: [-3], ends: [-1] }),
    sample({ shape: [5] }, { starts: [-9], ends: [9] }),
    sample({ shape: [5] }, { starts: [4], ends: [2] }),
    sample({ shape: [5] }, { starts: [null], ends: [null], steps: [-1] }),
    sample({ shape: [7] }, { starts: [5], ends: [0], steps: [-2] }),
    sample({ shape: [7] }, { starts: [9], ends: [-9], steps: [-3] }),
    sample({ shape: [7] }, { starts: [1], ends: [null], steps: [3] }),
    sample({ shape: [6, 8] }, { starts: [2], ends: [5] }),
    sample({ shape: [6, 8] }, { starts: [null, 4], ends: [null, null] }),
    sample({ shape: [6, 8] }, { starts: [1, 1], ends: [null, null], steps: [2, 1] }),
    sample(
      { shape: [2, 9, 9, 3] },
      { starts: [null, 1, 2], ends: [null, 8, -1], steps: [1, 2, 3] },
    ),
    sample({ shape: [3, 0, 2] }, { starts: [1, 0], ends: [2, 5] }),
    sample(
      { shape: [2, 3, 2, 3, 1, 2, 3, 2] },
      { starts: [0, 1, 0, -1], ends: [1, 3, null, null], steps: [1, 1, 1, -2] },
    ),
    sample({ shape: [4, 6], dtype: "i32" }, { starts: [1, 2], ends: [3, 6] }),
    sample({ shape: [4, 6], dtype: "u32" }, { starts: [1, 1], ends: [3, 6] }),
    sample({ shape: [4, 6], dtype: "f16" }, { starts: [1, 1], ends: [3, 6] }),
    sample({ shape: [4, 6], dtype: "f16" }, { starts: [1, 2], ends: [3, 6] }),
    sample({ shape: [5], dtype: "f16" }, { starts: [1], ends: [4] }),
  ],
  errors: [
    { what: "lists of different lengths", run: () => slice(ones([2, 3]), [0, 1], [2]) },
    { what: "more axes than there are", run: () => slice(ones([2]), [0, 0], [1, 1]) },
    { what: "step 0", run: () => slice(ones([2]), [0], [1], [0]) },
    { what: "a fraction", run: () => slice(ones([2]), [0.5], [1]) },
  ],
});

export const splitCase = opCase<{
  readonly size: number | readonly number[];
  readonly axis: number;
}>({
  ops: ["slice", "concat"],
  title: "split and joined in reverse order",
  run: ([x = zeros([])], { size, axis }) => concat(split(x, size, axis).reverse(), axis),
  reference: ([x = { shape: [], data: new Float64Array() }], { size, axis }) => {
    const length = x.shape[axis] ?? 0;
    const sizes = typeof size === "number" ? piecesOf(length, size) : size;
    const starts = sizes.map((_, i) => sizes.slice(0, i).reduce((sum, piece) => sum + piece, 0));
    const order = sizes.flatMap((piece, i) =>
      Array.from({ length: piece }, (_, k) => (starts[i] ?? 0) + k),
    );
    const reversed = [...sizes.keys()]
      .reverse()
      .flatMap((i) =>
        order.filter((k) => k >= (starts[i] ?? 0) && k < (starts[i] ?? 0) + (sizes[i] ?? 0)),
      );
    return hostFrom(x.shape, (index) =>
      hostAt(
        x,
        index.map((i, k) => (k === axis ? (reversed[i] ?? NaN) : i)),
      ),
    );
  },
  samples: [
    { inputs: [{ shape: [7, 3] }], args: { size: 3, axis: 0 } },
    { inputs: [{ shape: [3, 8] }], args: { size: 4, axis: 1 } },
    { inputs: [{ shape: [3, 8] }], args: { size: [1, 5, 0, 2], axis: 1 } },
    { inputs: [{ shape: [3, 8] }], args: { size: 99, axis: 1 } },
    { inputs: [{ shape: [0, 2] }], args: { size: 2, axis: 0 } },
  ],
  errors: [
    { what: "pieces of nothing", run: () => split(ones([4]), 0) },
    { what: "sizes that do not add up", run: () => split(ones([4]), [1, 2]) },
    { what: "no chunks", run: () => chunk(ones([4]), 0) },
    { what: "an axis that does not exist", run: () => chunk(ones([4]), 2, 1) },
  ],
});

function piecesOf(length: number, size: number): number[] {
  const pieces: number[] = [];
  for (let left = length; left > 0; left -= size) pieces.push(Math.min(left, size));
  return pieces;
}
