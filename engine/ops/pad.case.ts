/** @file What padding means. */
import { hostAt, hostFrom, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpSample } from "../op-case.ts";
import { ones, zeros } from "./create.ts";
import { pad, type AxisPadding, type PadOptions } from "./pad.ts";

interface PadArguments extends PadOptions {
  readonly padding: readonly AxisPadding[];
}

/** Walks to the mirrored place step by step, turning round at the edges. */
function reflected(place: number, size: number): number {
  let i = 0;
  let step = place < 0 ? -1 : 1;
  for (let left = Math.abs(place); left > 0; left--) {
    if (i + step < 0 || i + step >= size) step = -step;
    i += step;
  }
  return i;
}

export function padReference(
  x: HostTensor,
  { padding, mode = "constant", value = 0 }: PadArguments,
): HostTensor {
  const shape = x.shape.map(
    (size, axis) => size + (padding[axis]?.[0] ?? 0) + (padding[axis]?.[1] ?? 0),
  );
  return hostFrom(shape, (index) => {
    const places = index.map((i, axis) => i - (padding[axis]?.[0] ?? 0));
    const isInside = places.every((place, axis) => place >= 0 && place < (x.shape[axis] ?? 0));
    if (isInside) return hostAt(x, places);
    if (mode === "constant") return value;
    return hostAt(
      x,
      places.map((place, axis) => {
        const size = x.shape[axis] ?? 0;
        return mode === "reflect" ? reflected(place, size) : Math.min(size - 1, Math.max(0, place));
      }),
    );
  });
}

function sample(input: InputSpec, args: PadArguments): OpSample<PadArguments> {
  const feature = input.dtype === "f16" ? { feature: "shader-f16" as const } : {};
  const text = args.padding.map(([before, after]) => `${before}+${after}`).join(" ");
  return {
    note: `${args.mode ?? "constant"} ${text}`,
    inputs: [input],
    args,
    tolerance: 0,
    ...feature,
  };
}

const image: readonly AxisPadding[] = [
  [0, 0],
  [1, 2],
  [2, 1],
  [0, 0],
];

export const padCase = opCase<PadArguments>({
  ops: ["pad", "padEdge"],
  title: "pad",
  run: ([x = zeros([])], { padding, ...options }) => pad(x, padding, options),
  reference: ([x = { shape: [], data: new Float64Array() }], args) => padReference(x, args),
  samples: [
    sample({ shape: [] }, { padding: [] }),
    sample({ shape: [1] }, { padding: [[2, 3]] }),
    sample({ shape: [5] }, { padding: [[0, 0]] }),
    sample({ shape: [5] }, { padding: [[1, 0]], value: -2.5 }),
    sample({ shape: [2, 3, 4, 4] }, { padding: image }),
    sample({ shape: [2, 3, 4, 3] }, { padding: image, value: 1 }),
    sample(
      { shape: [4, 8] },
      {
        padding: [
          [0, 0],
          [4, 4],
        ],
      },
    ),
    sample(
      { shape: [0, 2] },
      {
        padding: [
          [1, 1],
          [0, 1],
        ],
        value: 7,
      },
    ),
    sample({ shape: [1, 2, 1, 2, 1, 2, 1, 2] }, { padding: Array<AxisPadding>(8).fill([1, 0]) }),
    sample({ shape: [3], dtype: "i32" }, { padding: [[1, 1]], value: -1 }),
    sample({ shape: [3], dtype: "u32" }, { padding: [[1, 1]], value: 4294967295 }),
    sample({ shape: [3], dtype: "f16" }, { padding: [[1, 1]], value: 0.5 }),
    sample({ shape: [2, 3, 4, 3] }, { padding: image, mode: "reflect" }),
    sample({ shape: [4] }, { padding: [[3, 3]], mode: "reflect" }),
    sample(
      { shape: [2, 3] },
      {
        padding: [
          [1, 0],
          [0, 2],
        ],
        mode: "reflect",
      },
    ),
    sample(
      { shape: [1, 3] },
      {
        padding: [
          [0, 0],
          [2, 2],
        ],
        mode: "reflect",
      },
    ),
    sample(
      { shape: [0, 3] },
      {
        padding: [
          [0, 0],
          [2, 2],
        ],
        mode: "reflect",
      },
    ),
    sample({ shape: [4], dtype: "i32" }, { padding: [[3, 2]], mode: "reflect" }),
    sample({ shape: [2, 3, 4, 3] }, { padding: image, mode: "replicate" }),
    sample({ shape: [1] }, { padding: [[3, 5]], mode: "replicate" }),
    sample(
      { shape: [3, 2] },
      {
        padding: [
          [4, 0],
          [0, 5],
        ],
        mode: "replicate",
      },
    ),
    sample(
      { shape: [3, 2], dtype: "u32" },
      {
        padding: [
          [4, 0],
          [0, 5],
        ],
        mode: "replicate",
      },
    ),
    sample(
      { shape: [3, 2], dtype: "f16" },
      {
        padding: [
          [1, 0],
          [0, 1],
        ],
        mode: "replicate",
      },
    ),
  ],
  errors: [
    { what: "a pair too few", run: () => pad(ones([2, 3]), [[1, 1]]) },
    { what: "a negative number", run: () => pad(ones([3]), [[-1, 0]]) },
    {
      what: "a mirror longer than the inside",
      run: () => pad(ones([3]), [[3, 0]], { mode: "reflect" }),
    },
    {
      what: "an empty axis to replicate",
      run: () => pad(zeros([0]), [[1, 0]], { mode: "replicate" }),
    },
    {
      what: "a fraction among integers",
      run: () => pad(ones([3], { dtype: "i32" }), [[1, 0]], { value: 0.5 }),
    },
  ],
});
