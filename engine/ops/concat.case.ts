/** @file What joining means. */
import { hostAt, hostFrom, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpSample } from "../op-case.ts";
import { concat, stack } from "./concat.ts";
import { ones } from "./create.ts";

interface Axis {
  readonly axis: number;
}

function sample(axis: number, ...inputs: InputSpec[]): OpSample<Axis> {
  const feature = inputs.some(({ dtype }) => dtype === "f16")
    ? { feature: "shader-f16" as const }
    : {};
  return { note: `axis ${axis}`, inputs, args: { axis }, tolerance: 0, ...feature };
}

function shapes(...list: (readonly number[])[]): InputSpec[] {
  return list.map((shape) => ({ shape }));
}

/** Which input holds place `i` of the joined axis, and where in it. */
export function concatReference(inputs: readonly HostTensor[], axis: number): HostTensor {
  const [first] = inputs;
  if (first === undefined) throw new Error("nothing to join");
  const along = axis < 0 ? axis + first.shape.length : axis;
  const places = inputs.flatMap((x) =>
    Array.from({ length: x.shape[along] ?? 0 }, (_, i) => ({ x, i })),
  );
  return hostFrom(first.shape.with(along, places.length), (index) => {
    const place = places[index[along] ?? 0];
    return place === undefined ? NaN : hostAt(place.x, [...index].with(along, place.i));
  });
}

export const concatCase = opCase<Axis>({
  ops: ["concat"],
  title: "concat",
  run: (inputs, { axis }) => concat(inputs, axis),
  reference: (inputs, { axis }) => concatReference(inputs, axis),
  samples: [
    sample(0, ...shapes([3])),
    sample(0, ...shapes([1], [1], [1])),
    sample(0, ...shapes([3, 5], [2, 5])),
    sample(1, ...shapes([3, 5], [3, 2])),
    sample(1, ...shapes([3, 8], [3, 4])),
    sample(-1, ...shapes([2, 3, 4], [2, 3, 1], [2, 3, 3])),
    sample(3, ...shapes([2, 4, 4, 8], [2, 4, 4, 16])),
    sample(0, ...shapes([0, 3], [2, 3], [0, 3])),
    sample(1, ...shapes([0, 3], [0, 2])),
    sample(4, ...shapes([1, 2, 1, 2, 3, 2, 1, 2], [1, 2, 1, 2, 1, 2, 1, 2])),
    sample(0, { shape: [5], dtype: "i32" }, { shape: [3], dtype: "i32" }),
    sample(1, { shape: [2, 3], dtype: "u32" }, { shape: [2, 1], dtype: "u32" }),
    sample(0, { shape: [5], dtype: "f16" }, { shape: [3], dtype: "f16" }),
    sample(1, { shape: [2, 3], dtype: "f16" }, { shape: [2, 2], dtype: "f16" }),
  ],
  errors: [
    { what: "nothing", run: () => concat([]) },
    { what: "other sizes that differ", run: () => concat([ones([2, 3]), ones([3, 2])]) },
    { what: "different ranks", run: () => concat([ones([2, 3]), ones([2])]) },
    { what: "different types", run: () => concat([ones([2]), ones([2], { dtype: "i32" })]) },
    { what: "an axis that does not exist", run: () => concat([ones([2])], 1) },
    { what: "scalars", run: () => concat([ones([])]) },
  ],
});

export const stackCase = opCase<Axis>({
  ops: ["concat"],
  title: "stack",
  run: (inputs, { axis }) => stack(inputs, axis),
  reference: (inputs, { axis }) => {
    const rank = (inputs[0]?.shape.length ?? 0) + 1;
    const along = axis < 0 ? axis + rank : axis;
    const unsqueezed = inputs.map(({ shape, data }) => ({
      shape: shape.toSpliced(along, 0, 1),
      data,
    }));
    return concatReference(unsqueezed, along);
  },
  samples: [
    sample(0, ...shapes([], [])),
    sample(0, ...shapes([3, 5], [3, 5])),
    sample(1, ...shapes([3, 5], [3, 5], [3, 5])),
    sample(-1, ...shapes([3, 5], [3, 5])),
    sample(0, ...shapes([0, 2], [0, 2])),
  ],
  errors: [
    { what: "different shapes", run: () => stack([ones([2]), ones([3])]) },
    { what: "an axis beyond the new rank", run: () => stack([ones([2])], 2) },
  ],
});
