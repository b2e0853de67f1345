/** @file Cases of layer normalisation. */
import { hostTensor, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpError, type OpSample } from "../op-case.ts";
import { sizeOf, type Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { layerNorm } from "./layer-norm.ts";

interface Args {
  readonly normalizedShape?: number | Shape;
  /** The inputs after x. */
  readonly weight?: boolean;
  readonly bias?: boolean;
  readonly eps?: number;
}

function widthOf(x: Shape, { normalizedShape = x.slice(-1) }: Args): number {
  return sizeOf([normalizedShape].flat());
}

function reference(
  [x = hostTensor([0], []), ...rest]: readonly HostTensor[],
  args: Args,
): HostTensor {
  const weight = args.weight === true ? rest[0]?.data : undefined;
  const bias = args.bias === true ? rest.at(-1)?.data : undefined;
  const width = widthOf(x.shape, args);
  const result = new Float64Array(x.data.length);
  for (let start = 0; start < result.length; start += width) {
    const row = x.data.subarray(start, start + width);
    const mean = row.reduce((total, value) => total + value, 0) / width;
    const variance = row.reduce((total, value) => total + (value - mean) ** 2, 0) / width;
    row.forEach((value, i) => {
      const normal = (value - mean) / Math.sqrt(variance + (args.eps ?? 1e-5));
      result[start + i] = normal * (weight?.[i] ?? 1) + (bias?.[i] ?? 0);
    });
  }
  return { shape: x.shape, data: result };
}

function run([x, ...rest]: readonly Tensor[], { weight, bias, ...options }: Args): Tensor {
  return layerNorm(x as Tensor, {
    ...options,
    ...(weight === true ? { weight: rest[0] as Tensor } : {}),
    ...(bias === true ? { bias: rest.at(-1) as Tensor } : {}),
  });
}

function sample(shape: Shape, args: Args, x: Partial<InputSpec> = {}): OpSample<Args> {
  const { normalizedShape = shape.slice(-1) } = args;
  const vector = { shape: [normalizedShape].flat() };
  const inputs: InputSpec[] = [{ shape, ...x }];
  if (args.weight === true) inputs.push(vector);
  if (args.bias === true) inputs.push(vector);
  return { inputs, args };
}

const affine = { weight: true, bias: true };

/** Rows of numbers up to 1 with a 500 in front, 45 deviations from the mean. */
function behindOutliers(rows: number, width: number): number[] {
  return Array.from({ length: rows * width }, (_, i) => (i % width === 0 ? 500 : Math.sin(i)));
}

const samples: OpSample<Args>[] = [
  ...[2, 3, 4, 5, 17, 64].map((width) => sample([6, width], affine)),
  // Rows of 128 and more may be shared by a workgroup of 64, in vectors of 4.
  ...[127, 128, 129, 255, 256, 260].map((width) => sample([5, width], affine)),
  sample([7, 132], affine),
  sample([8, 132], affine),
  ...[63, 64, 65, 129, 200].map((rows) => sample([rows, 8], affine)),
  { note: "many rows", ...sample([300, 132], affine) },
  { note: "many rows", ...sample([2100, 6], affine) },
  sample([4, 12], {}),
  sample([4, 12], { weight: true }),
  sample([4, 13], { bias: true }),
  sample([2, 3, 5], affine),
  sample([2, 3, 4, 5], { ...affine, normalizedShape: [4, 5] }),
  sample([2, 3, 5], { ...affine, normalizedShape: [2, 3, 5] }),
  sample([3, 7], { ...affine, normalizedShape: 7, eps: 0.5 }),
  { note: "rows of one", ...sample([4, 1], affine) },
  { note: "no rows", ...sample([0, 4], affine) },
  { note: "empty rows", ...sample([4, 0], affine) },
  {
    note: "mean 1000, deviation 0.1",
    ...sample([5, 500], affine, { range: [999.827, 1000.173] }),
    tolerance: 2e-5,
  },
  {
    note: "an outlier in front",
    ...sample([9, 2000], {}, { values: behindOutliers(9, 2000) }),
    gradient: false,
  },
  {
    note: "NaN and infinity",
    ...sample([3, 4], {}, { values: [1, NaN, 2, 3, 1, 2, 3, 4, Infinity, 1, 2, 3] }),
    gradient: false,
  },
  {
    inputs: [
      { shape: [2, 4], dtype: "f16", values: [1, 2, 3, 4, 3, 5, 7, 9] },
      { shape: [4] },
      { shape: [4] },
    ],
    args: affine,
    feature: "shader-f16",
    tolerance: 1e-3,
    gradient: [1, 2],
  },
];

const matrix = (): Tensor => tensor(new Float32Array(12), { shape: [3, 4] });
const vector = (size: number): Tensor => tensor(new Float32Array(size));

const errors: OpError[] = [
  { what: "a scalar", run: () => layerNorm(tensor(1)) },
  { what: "whole numbers", run: () => layerNorm(tensor([[1, 2]], { dtype: "i32" })) },
  { what: "leading axes", run: () => layerNorm(matrix(), { normalizedShape: 3 }) },
  { what: "too many axes", run: () => layerNorm(matrix(), { normalizedShape: [2, 3, 4] }) },
  { what: "no axes", run: () => layerNorm(matrix(), { normalizedShape: [] }) },
  { what: "a weight of another size", run: () => layerNorm(matrix(), { weight: vector(3) }) },
  {
    what: "a bias of whole numbers",
    run: () => layerNorm(matrix(), { bias: tensor([1, 2, 3, 4], { dtype: "i32" }) }),
  },
  { what: "a negative eps", run: () => layerNorm(matrix(), { eps: -1 }) },
];

export const layerNormCase = opCase<Args>({
  ops: ["layerNorm"],
  title: "layerNorm",
  run,
  reference,
  samples,
  errors,
});
