/** @file What reading and adding by indices means, indices outside included. */
import { hostAt, hostFrom, hostTensor, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpSample } from "../op-case.ts";
import { stridesOf } from "../shape.ts";
import { ones, zeros } from "./create.ts";
import { gather, indexAdd, indexSelect, scatterAdd } from "./gather.ts";

interface Axis {
  readonly axis: number;
  /** What an index outside reads. */
  readonly missing?: number;
}

const nothing: HostTensor = { shape: [], data: new Float64Array() };

function resolve(axis: number, rank: number): number {
  return axis < 0 ? axis + rank : axis;
}

export function gatherReference(
  x: HostTensor,
  indices: HostTensor,
  { axis, missing = NaN }: Axis,
): HostTensor {
  const along = resolve(axis, x.shape.length);
  return hostFrom(indices.shape, (index) => {
    const chosen = hostAt(indices, index);
    return chosen >= 0 && chosen < (x.shape[along] ?? 0)
      ? hostAt(x, [...index].with(along, chosen))
      : missing;
  });
}

/** One index for each row, repeated for all elements of the row. */
function repeated(indices: HostTensor, shape: readonly number[], along: number): HostTensor {
  return hostFrom(shape, (index) => indices.data[index[along] ?? 0] ?? NaN);
}

export function scatterReference(
  x: HostTensor,
  indices: HostTensor,
  source: HostTensor,
  { axis }: Axis,
): HostTensor {
  const along = resolve(axis, x.shape.length);
  const result = hostTensor(x.shape, x.data);
  const strides = stridesOf(x.shape);
  hostFrom(source.shape, (index) => {
    const chosen = hostAt(indices, index);
    if (chosen >= 0 && chosen < (x.shape[along] ?? 0)) {
      const place = [...index]
        .with(along, chosen)
        .reduce((sum, i, k) => sum + i * (strides[k] ?? 0), 0);
      result.data[place] = (result.data[place] ?? 0) + hostAt(source, index);
    }
    return 0;
  });
  return result;
}

function sample(axis: number, ...inputs: InputSpec[]): OpSample<Axis> {
  const halves = inputs.some(({ dtype }) => dtype === "f16");
  const isReal = inputs[0]?.dtype === undefined || halves;
  return {
    note: `axis ${axis}`,
    inputs,
    args: isReal ? { axis } : { axis, missing: 0 },
    ...(halves ? { feature: "shader-f16" as const, tolerance: 2e-3 } : {}),
  };
}

function indices(shape: readonly number[], most: number, dtype: "u32" | "i32" = "u32"): InputSpec {
  return { shape, dtype, range: [0, most] };
}

const outside: InputSpec = { shape: [5], dtype: "i32", values: [0, -1, 3, 2, 2147483647] };

/** NaN in the result leaves nothing to compare gradients by. */
function forwardOnly(record: OpSample<Axis>): OpSample<Axis> {
  return { ...record, note: `indices outside, ${record.note ?? ""}`, gradient: false };
}

export const gatherCase = opCase<Axis>({
  ops: ["gather"],
  title: "gather",
  run: ([x = zeros([]), chosen = zeros([])], { axis }) => gather(x, axis, chosen),
  reference: ([x = nothing, chosen = nothing], args) => gatherReference(x, chosen, args),
  samples: [
    sample(0, { shape: [5] }, indices([3], 4)),
    sample(0, { shape: [1] }, indices([70], 0)),
    sample(1, { shape: [3, 5] }, indices([3, 2], 4)),
    sample(1, { shape: [3, 5] }, indices([2, 7], 4, "i32")),
    sample(-2, { shape: [4, 3, 5] }, indices([2, 6, 4], 2)),
    sample(3, { shape: [1, 2, 1, 3, 2, 1, 2, 2] }, indices([1, 2, 1, 2, 1, 1, 2, 2], 2)),
    sample(0, { shape: [3, 2] }, indices([0, 2], 2)),
    sample(0, { shape: [5], dtype: "i32" }, indices([3], 4)),
    sample(1, { shape: [2, 5], dtype: "u32" }, indices([2, 3], 4)),
    sample(1, { shape: [2, 5], dtype: "f16" }, indices([2, 3], 4)),
    forwardOnly(sample(0, { shape: [3] }, outside)),
    forwardOnly(sample(0, { shape: [3], dtype: "i32" }, outside)),
    forwardOnly(sample(0, { shape: [3], dtype: "f16" }, outside)),
    forwardOnly(sample(0, { shape: [0] }, outside)),
  ],
  errors: [
    { what: "indices of f32", run: () => gather(ones([3]), 0, ones([2])) },
    { what: "another rank", run: () => gather(ones([3, 2]), 0, ones([2], { dtype: "u32" })) },
    {
      what: "indices longer than another axis",
      run: () => gather(ones([3, 2]), 0, ones([3, 4], { dtype: "u32" })),
    },
    {
      what: "an axis that does not exist",
      run: () => gather(ones([3]), 1, ones([2], { dtype: "u32" })),
    },
  ],
});

export const indexSelectCase = opCase<Axis>({
  ops: ["indexSelect"],
  title: "indexSelect",
  run: ([x = zeros([]), chosen = zeros([])], { axis }) => indexSelect(x, axis, chosen),
  reference: ([x = nothing, chosen = nothing], args) => {
    const along = resolve(args.axis, x.shape.length);
    const shape = x.shape.with(along, chosen.shape[0] ?? 0);
    return gatherReference(x, repeated(chosen, shape, along), args);
  },
  samples: [
    sample(0, { shape: [5] }, indices([7], 4)),
    sample(0, { shape: [6, 3] }, indices([4], 5)),
    // Four elements at once.
    sample(0, { shape: [6, 8] }, indices([65], 5, "i32")),
    sample(1, { shape: [2, 4, 2, 2] }, indices([3], 3)),
    sample(-1, { shape: [3, 4] }, indices([6], 3)),
    sample(0, { shape: [6, 0] }, indices([4], 5)),
    sample(0, { shape: [6, 3] }, indices([0], 5)),
    sample(2, { shape: [1, 2, 3, 2, 1, 2, 1, 2] }, indices([4], 2)),
    sample(0, { shape: [6, 4], dtype: "i32" }, indices([4], 5)),
    sample(0, { shape: [6, 4], dtype: "f16" }, indices([4], 5)),
    sample(0, { shape: [6, 3], dtype: "f16" }, indices([4], 5)),
    forwardOnly(sample(0, { shape: [3, 4] }, outside)),
    forwardOnly(sample(1, { shape: [2, 3, 3] }, outside)),
    forwardOnly(sample(0, { shape: [3, 4], dtype: "u32" }, outside)),
    forwardOnly(sample(0, { shape: [3, 4], dtype: "f16" }, outside)),
  ],
  errors: [
    {
      what: "indices of two axes",
      run: () => indexSelect(ones([3]), 0, ones([2, 1], { dtype: "u32" })),
    },
    { what: "indices of f32", run: () => indexSelect(ones([3]), 0, ones([2])) },
  ],
});

export const scatterAddCase = opCase<Axis>({
  ops: ["scatterAdd"],
  title: "scatterAdd",
  run: ([x = zeros([]), chosen = zeros([]), source = zeros([])], { axis }) =>
    scatterAdd(x, axis, chosen, source),
  reference: ([x = nothing, chosen = nothing, source = nothing], args) =>
    scatterReference(x, chosen, source, args),
  samples: [
    sample(0, { shape: [5] }, indices([3], 4), { shape: [3] }),
    sample(0, { shape: [1] }, indices([70], 0), { shape: [70] }),
    sample(1, { shape: [3, 5] }, indices([3, 9], 4), { shape: [3, 9] }),
    sample(1, { shape: [3, 5] }, indices([2, 9], 4), { shape: [2, 9] }),
    sample(0, { shape: [3, 5] }, indices([4, 2], 2, "i32"), { shape: [4, 2] }),
    sample(3, { shape: [1, 2, 1, 3, 2, 1, 2, 2] }, indices([1, 2, 1, 4, 1, 1, 2, 2], 2), {
      shape: [1, 2, 1, 4, 1, 1, 2, 2],
    }),
    sample(0, { shape: [3, 2] }, indices([0, 2], 2), { shape: [0, 2] }),
    sample(0, { shape: [5], dtype: "i32" }, indices([9], 4), {
      shape: [9],
      dtype: "i32",
      range: [-9, 9],
    }),
    sample(0, { shape: [5], dtype: "f16" }, indices([9], 4), { shape: [9], dtype: "f16" }),
    sample(0, { shape: [3] }, outside, { shape: [5] }),
  ],
  errors: [
    {
      what: "a source of another shape",
      run: () => scatterAdd(ones([3]), 0, ones([2], { dtype: "u32" }), ones([3])),
    },
    {
      what: "a source of another type",
      run: () => scatterAdd(ones([3]), 0, ones([2], { dtype: "u32" }), ones([2], { dtype: "i32" })),
    },
    { what: "indices of f32", run: () => scatterAdd(ones([3]), 0, ones([2]), ones([2])) },
  ],
});

export const indexAddCase = opCase<Axis>({
  ops: ["indexAdd"],
  title: "indexAdd",
  run: ([x = zeros([]), chosen = zeros([]), source = zeros([])], { axis }) =>
    indexAdd(x, axis, chosen, source),
  reference: ([x = nothing, chosen = nothing, source = nothing], args) => {
    const along = resolve(args.axis, x.shape.length);
    return scatterReference(x, repeated(chosen, source.shape, along), source, args);
  },
  samples: [
    sample(0, { shape: [5] }, indices([7], 4), { shape: [7] }),
    sample(0, { shape: [3, 3] }, indices([7], 2), { shape: [7, 3] }),
    sample(0, { shape: [3, 8] }, indices([70], 2, "i32"), { shape: [70, 8] }),
    sample(1, { shape: [2, 3, 2, 2] }, indices([4], 2), { shape: [2, 4, 2, 2] }),
    sample(0, { shape: [3, 4], dtype: "i32" }, indices([7], 2), { shape: [7, 4], dtype: "i32" }),
    sample(0, { shape: [3, 4], dtype: "f16" }, indices([7], 2), { shape: [7, 4], dtype: "f16" }),
    sample(0, { shape: [3, 4] }, outside, { shape: [5, 4] }),
  ],
  errors: [
    {
      what: "a source of another length",
      run: () => indexAdd(ones([3, 2]), 0, ones([2], { dtype: "u32" }), ones([3, 2])),
    },
  ],
});
