/**
 * @file Cases of batch normalisation. Running statistics in training:
 * test/engine/batch-norm.test.ts.
 */
import { hostTensor, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpError, type OpSample } from "../op-case.ts";
import type { Shape } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { batchNorm } from "./batch-norm.ts";

/** What the inputs after x are, in this order. */
type Role = "weight" | "bias" | "residual" | "runningMean" | "runningVar";

interface Args {
  readonly roles: readonly Role[];
  readonly training: boolean;
  readonly relu?: boolean;
  readonly eps?: number;
}

const roleOf = <T>(inputs: readonly T[], { roles }: Args, role: Role): T | undefined =>
  roles.includes(role) ? inputs[1 + roles.indexOf(role)] : undefined;

/** The element of a vector that belongs to channel `c`. */
const valueAt = (vector: HostTensor | undefined, c: number, missing: number): number =>
  vector === undefined ? missing : (vector.data[c] ?? NaN);

function reference(inputs: readonly HostTensor[], args: Args): HostTensor {
  const x = inputs[0] ?? hostTensor([0], []);
  const channels = x.shape.at(-1) ?? 0;
  const given = (role: Role): HostTensor | undefined => roleOf(inputs, args, role);
  const residual = given("residual")?.data;
  const result = new Float64Array(x.data.length);
  for (let c = 0; c < channels; c++) {
    const { mean, variance } = args.training
      ? moments(x.data, c, channels)
      : {
          mean: valueAt(given("runningMean"), c, NaN),
          variance: valueAt(given("runningVar"), c, NaN),
        };
    const scale = valueAt(given("weight"), c, 1) / Math.sqrt(variance + (args.eps ?? 1e-5));
    const bias = valueAt(given("bias"), c, 0);
    for (let i = c; i < result.length; i += channels) {
      const value = ((x.data[i] ?? NaN) - mean) * scale + bias + (residual?.[i] ?? 0);
      result[i] = args.relu === true && value < 0 ? 0 : value;
    }
  }
  return { shape: x.shape, data: result };
}

/** Mean and biased variance of every `channels`-th element from `first` on. */
function moments(data: Float64Array, first: number, channels: number) {
  const count = data.length / channels;
  let mean = 0;
  for (let i = first; i < data.length; i += channels) mean += (data[i] ?? NaN) / count;
  let variance = 0;
  for (let i = first; i < data.length; i += channels) {
    variance += ((data[i] ?? NaN) - mean) ** 2 / count;
  }
  return { mean, variance };
}

function run(inputs: readonly Tensor[], args: Args): Tensor {
  const [x] = inputs;
  const options: Record<string, unknown> = { training: args.training };
  for (const role of args.roles) options[role] = roleOf(inputs, args, role);
  if (args.relu === true) options["activation"] = "relu";
  if (args.eps !== undefined) options["eps"] = args.eps;
  return batchNorm(x as Tensor, options);
}

function inputsFor(shape: Shape, roles: readonly Role[], x: Partial<InputSpec>): InputSpec[] {
  const vector = shape.slice(-1);
  const specs: Record<Role, InputSpec> = {
    weight: { shape: vector },
    bias: { shape: vector },
    residual: { shape },
    runningMean: { shape: vector },
    runningVar: { shape: vector, range: [0.2, 2] },
  };
  return [{ shape, ...x }, ...roles.map((role) => specs[role])];
}

function training(
  shape: Shape,
  roles: readonly Role[],
  more: { relu?: boolean; eps?: number; x?: Partial<InputSpec> } = {},
): OpSample<Args> {
  const { x = {}, ...rest } = more;
  return { inputs: inputsFor(shape, roles, x), args: { roles, training: true, ...rest } };
}

function evaluation(
  shape: Shape,
  roles: readonly Role[],
  more: { relu?: boolean; eps?: number } = {},
): OpSample<Args> {
  const all: Role[] = [...roles, "runningMean", "runningVar"];
  return {
    inputs: inputsFor(shape, all, {}),
    args: { roles: all, training: false, ...more },
    gradient: [0, ...roles.map((_, i) => i + 1)],
  };
}

const affine: Role[] = ["weight", "bias"];
const block: Role[] = [...affine, "residual"];

const samples: OpSample<Args>[] = [
  ...[1, 3, 4, 5, 17, 64].flatMap((channels) => [
    training([2, 5, 3, channels], affine),
    training([2, 5, 3, channels], block, { relu: true }),
    evaluation([2, 5, 3, channels], block, { relu: true }),
  ]),
  training([2, 3, 3, 4], []),
  training([2, 3, 3, 4], ["weight"]),
  training([2, 3, 3, 4], ["bias"], { relu: true }),
  training([2, 3, 3, 4], ["residual"]),
  training([2, 3, 3, 8], affine, { relu: true }),
  training([2, 3, 3, 8], block),
  evaluation([2, 3, 3, 4], []),
  evaluation([2, 3, 3, 4], affine),
  evaluation([2, 3, 3, 4], ["bias"], { relu: true }),
  evaluation([2, 3, 3, 6], ["residual"], { relu: true }),
  evaluation([1, 1, 1, 8], affine, { relu: true }),
  { note: "1d", ...training([9, 12], affine) },
  { note: "1d", ...training([5, 7, 6], affine, { relu: true }) },
  { note: "1d", ...evaluation([9, 5], affine) },
  { note: "two values a channel", ...training([2, 8], affine) },
  { note: "eps", ...training([4, 8], affine, { eps: 0.5 }) },
  { note: "eps", ...evaluation([4, 8], affine, { eps: 0.5 }) },
  // Slices end at 16 rows, at 64 invocations of a workgroup, and at 1024 rows.
  ...[15, 16, 17, 31, 33, 1023, 1025].map((rows) => training([rows, 4], affine, { relu: true })),
  ...[1, 2, 63, 64, 65].map((rows) => training([rows, 17, 8], block, { relu: true })),
  { note: "many channels", ...training([3, 260], affine) },
  { note: "many channels", ...training([35, 1028], affine, { relu: true }) },
  { note: "many rows", ...training([2, 41, 27, 4], block, { relu: true }) },
  { note: "many rows", ...training([2, 37, 41, 3], affine) },
  { note: "no images", ...training([0, 3, 3, 4], affine) },
  { note: "no images", ...evaluation([0, 3, 3, 4], affine) },
  { note: "no channels", ...training([2, 0], affine) },
  {
    note: "mean 1000, deviation 0.1",
    ...training([2000, 8], affine, { x: { range: [999.827, 1000.173] } }),
    tolerance: 2e-5,
  },
  {
    note: "constant channels",
    ...training([30, 4], affine, { relu: true, x: { range: [7.3, 7.3] } }),
    gradient: false,
  },
  {
    note: "NaN",
    ...training([2, 4], [], {
      relu: true,
      x: { values: [NaN, 1, -1, 4, 1, 2, Infinity, 3] },
    }),
    gradient: false,
  },
  {
    inputs: [
      { shape: [2, 4], dtype: "f16", values: [1, 2, 3, 4, 3, 5, 7, 9] },
      { shape: [4] },
      { shape: [4] },
    ],
    args: { roles: affine, training: true, relu: true },
    feature: "shader-f16",
    tolerance: 1e-3,
    gradient: [1, 2],
  },
];

const images = (): Tensor => tensor(new Float32Array(2 * 3 * 3 * 4), { shape: [2, 3, 3, 4] });
const vector = (size: number): Tensor => tensor(new Float32Array(size));

const errors: OpError[] = [
  {
    what: "one value a channel in training",
    run: () => batchNorm(vector(4).alias([1, 1, 1, 4]), { training: true }),
  },
  { what: "a vector", run: () => batchNorm(vector(4), { training: true }) },
  {
    what: "whole numbers",
    run: () => batchNorm(tensor([[1], [2]], { dtype: "i32" }), { training: true }),
  },
  { what: "no running statistics in evaluation", run: () => batchNorm(images(), {}) },
  {
    what: "half of the running statistics",
    run: () => batchNorm(images(), { training: true, runningMean: vector(4) }),
  },
  {
    what: "a weight for channels first",
    run: () => batchNorm(images(), { training: true, weight: vector(3) }),
  },
  {
    what: "a bias that broadcasts",
    run: () => batchNorm(images(), { training: true, bias: vector(1) }),
  },
  {
    what: "running statistics of another size",
    run: () => batchNorm(images(), { runningMean: vector(4), runningVar: vector(5) }),
  },
  {
    what: "a weight of whole numbers",
    run: () =>
      batchNorm(images(), { training: true, weight: tensor([1, 1, 1, 1], { dtype: "i32" }) }),
  },
  {
    what: "a residual of another shape",
    run: () => batchNorm(images(), { training: true, residual: vector(4) }),
  },
  { what: "a negative eps", run: () => batchNorm(images(), { training: true, eps: -1e-5 }) },
  {
    what: "another activation",
    run: () => batchNorm(images(), { training: true, activation: "gelu" as "relu" }),
  },
  { what: "a momentum of 1.5", run: () => batchNorm(images(), { training: true, momentum: 1.5 }) },
];

export const batchNormCase = opCase<Args>({
  ops: ["batchNorm"],
  title: "batchNorm",
  run,
  reference,
  samples,
  errors,
});
