/** @file Cases of crossEntropy with labels and with probabilities. */
import { hostTensor, type HostTensor } from "../host-tensor.ts";
import { opCase, type InputSpec, type OpError, type OpSample } from "../op-case.ts";
import { sizeOf } from "../shape.ts";
import { tensor } from "../from-host.ts";
import type { Tensor } from "../tensor.ts";
import { isFloat } from "../dtype.ts";
import { add } from "./binary.ts";
import type { CrossEntropyOptions } from "./cross-entropy-arguments.ts";
import { crossEntropy } from "./cross-entropy.ts";

/** The class weights are the third input. */
type Args = Omit<CrossEntropyOptions, "weight">;

/** What one row adds to a sum of losses and to what a mean divides by. */
interface RowLoss {
  readonly loss: number;
  readonly weight: number;
}

/** Written after the formulas in the documentation of torch.nn.CrossEntropyLoss, term by term. */
function reference(inputs: readonly HostTensor[], args: Args): HostTensor {
  const [logits, target, weights] = inputs as readonly [
    HostTensor,
    HostTensor,
    HostTensor | undefined,
  ];
  const lead = logits.shape.slice(0, -1);
  const classes = logits.shape.at(-1) ?? 0;
  const weightOf = (c: number): number => (weights === undefined ? 1 : (weights.data[c] ?? NaN));
  const rowLoss = target.shape.length === lead.length ? labelLoss : probabilityLoss;
  const rows = Array.from({ length: sizeOf(lead) }, (_, n) => {
    const logs = logSoftmaxOf(logits.data.subarray(n * classes, (n + 1) * classes));
    const wanted =
      rowLoss === labelLoss
        ? target.data.subarray(n, n + 1)
        : target.data.subarray(n * classes, (n + 1) * classes);
    return rowLoss(logs, wanted, weightOf, args);
  });
  const total = rows.reduce((sum, { loss }) => sum + loss, 0);
  const { reduction = "mean" } = args;
  if (reduction === "none")
    return hostTensor(
      lead,
      rows.map(({ loss }) => loss),
    );
  if (reduction === "sum") return hostTensor([], [total]);
  return hostTensor([], [total / rows.reduce((sum, { weight }) => sum + weight, 0)]);
}

function logSoftmaxOf(row: Float64Array): Float64Array {
  const largest = row.reduce((a, b) => Math.max(a, b), -Infinity);
  const logTotal = Math.log(row.reduce((total, value) => total + Math.exp(value - largest), 0));
  return row.map((value) => value - largest - logTotal);
}

type WeightOf = (c: number) => number;

function labelLoss(
  logs: Float64Array,
  [label = NaN]: Float64Array,
  weightOf: WeightOf,
  args: Args,
): RowLoss {
  const { labelSmoothing = 0, ignoreIndex = -100 } = args;
  if (label === ignoreIndex) return { loss: 0, weight: 0 };
  if (label < 0 || label >= logs.length) return { loss: NaN, weight: 1 };
  const hard = -weightOf(label) * (logs[label] ?? NaN);
  if (labelSmoothing === 0) return { loss: hard, weight: weightOf(label) };
  const smooth = logs.reduce((sum, log, c) => sum - (weightOf(c) * log) / logs.length, 0);
  return { loss: (1 - labelSmoothing) * hard + labelSmoothing * smooth, weight: weightOf(label) };
}

function probabilityLoss(
  logs: Float64Array,
  wanted: Float64Array,
  weightOf: WeightOf,
  { labelSmoothing = 0 }: Args,
): RowLoss {
  const loss = logs.reduce((sum, log, c) => {
    const probability = (1 - labelSmoothing) * (wanted[c] ?? NaN) + labelSmoothing / logs.length;
    return sum - probability * weightOf(c) * log;
  }, 0);
  return { loss, weight: 1 };
}

const logits = (...shape: number[]): InputSpec => ({ shape, range: [-4, 4] });
const weightsFor = (classes: number): InputSpec => ({ shape: [classes], range: [0.2, 2] });
const labels = (classes: number, ...shape: number[]): InputSpec => ({
  shape,
  dtype: "i32",
  range: [0, classes - 1],
});
const probabilities = (...shape: number[]): InputSpec => ({ shape, range: [0, 0.4] });
const explicit = (values: readonly number[], dtype: "i32" | "u32" = "i32"): InputSpec => ({
  shape: [values.length],
  dtype,
  values,
});

const reductions = ["mean", "sum", "none"] as const;
const onlyLogits = [0];

function labelSamples(): OpSample<Args>[] {
  const plain = reductions.map((reduction) => ({
    inputs: [logits(65, 10), labels(10, 65)],
    args: { reduction },
  }));
  const smoothed = reductions.map((reduction) => ({
    note: "smoothed",
    inputs: [logits(9, 7), labels(7, 9)],
    args: { reduction, labelSmoothing: 0.1 },
  }));
  const weighted = reductions.flatMap((reduction) =>
    [0, 0.1].map((labelSmoothing) => ({
      note: `weighted, smoothed by ${labelSmoothing}`,
      inputs: [logits(8, 5), explicit([0, 1, 2, 3, -100, 4, 2, -100]), weightsFor(5)],
      args: { reduction, labelSmoothing },
      gradient: onlyLogits,
    })),
  );
  return [...plain, ...smoothed, ...weighted];
}

function shapeSamples(): OpSample<Args>[] {
  return [
    ...[1, 2, 63, 64, 65].map((rows) => ({
      inputs: [logits(rows, 10), labels(10, rows)],
      args: {},
    })),
    ...[1, 15, 16, 17, 64, 68, 127, 128, 129, 132, 1000].map((classes) => ({
      inputs: [logits(3, classes), labels(classes, 3)],
      args: {},
    })),
    {
      inputs: [logits(3, 300), labels(300, 3), weightsFor(300)],
      args: { labelSmoothing: 0.2 },
      gradient: onlyLogits,
    },
    { inputs: [logits(256, 10), labels(10, 256)], args: {} },
    ...[15, 16, 40].flatMap((rows) => [
      { inputs: [logits(rows, 150), labels(150, rows)], args: {} },
      { inputs: [logits(rows, 152), labels(152, rows)], args: {} },
    ]),
    ...[3, 40].map((rows) => ({
      note: "smoothed over many classes",
      inputs: [logits(rows, 2000), labels(2000, rows)],
      args: { labelSmoothing: 0.1 },
      gradient: false,
      tolerance: 3e-6,
    })),
    { inputs: [logits(2, 3, 4, 5), labels(5, 2, 3, 4)], args: { reduction: "none" } },
    { inputs: [logits(2, 3, 4, 5), labels(5, 2, 3, 4)], args: {} },
    { note: "one row", inputs: [logits(5), { shape: [], dtype: "i32", values: [3] }], args: {} },
    { note: "no rows", inputs: [logits(0, 5), labels(5, 0)], args: { reduction: "none" } },
    { note: "no rows", inputs: [logits(0, 5), labels(5, 0)], args: { reduction: "sum" } },
    { note: "no rows", inputs: [logits(0, 5), labels(5, 0)], args: {} },
    ...[1023, 1024, 4096, 4097, 16_384, 16_385, 50_000].map((rows) => ({
      inputs: [logits(rows, 3), labels(3, rows)],
      args: {},
      gradient: false,
    })),
    {
      note: "many rows",
      inputs: [logits(5000, 3), labels(3, 5000)],
      args: { reduction: "sum" },
      gradient: false,
    },
  ];
}

function edgeSamples(): OpSample<Args>[] {
  const far: InputSpec = { shape: [2, 3], values: [10_000, 10_001, 9_990, -500, 500, 0] };
  const masked: InputSpec = { shape: [2, 3], values: [-Infinity, 1, 2, 0, -Infinity, 3] };
  return [
    { note: "u32 labels", inputs: [logits(3, 4), explicit([0, 3, 1], "u32")], args: {} },
    {
      note: "ignoreIndex",
      inputs: [logits(4, 3), explicit([0, 255, 1, 255])],
      args: { ignoreIndex: 255 },
    },
    {
      note: "ignoreIndex among the classes",
      inputs: [logits(4, 3), explicit([0, 1, 1, 2])],
      args: { ignoreIndex: 1 },
    },
    {
      note: "all ignored",
      inputs: [logits(2, 3), explicit([-100, -100])],
      args: {},
      gradient: false,
    },
    {
      note: "all ignored",
      inputs: [logits(2, 3), explicit([-100, -100])],
      args: { reduction: "sum" },
    },
    {
      note: "labels out of range",
      inputs: [logits(5, 3), explicit([0, 3, -1, 2, 1000])],
      args: { reduction: "none" },
      gradient: false,
    },
    {
      note: "a label out of range",
      inputs: [logits(2, 3), explicit([0, 3])],
      args: {},
      gradient: false,
    },
    { note: "large logits", inputs: [far, explicit([0, 2])], args: {}, gradientTolerance: 1e-3 },
    { note: "-infinity elsewhere", inputs: [masked, explicit([1, 0])], args: {} },
    {
      note: "-infinity wanted",
      inputs: [masked, explicit([0, 0])],
      args: { reduction: "none" },
      gradient: false,
    },
    {
      note: "-infinity smoothed",
      inputs: [masked, explicit([1, 0])],
      args: { labelSmoothing: 0.1 },
      gradient: false,
    },
    {
      note: "NaN",
      inputs: [{ shape: [2, 2], values: [NaN, 1, 2, 3] }, explicit([1, 1])],
      args: { reduction: "none" },
      gradient: false,
    },
    {
      note: "f16",
      inputs: [{ ...logits(6, 5), dtype: "f16" }, labels(5, 6)],
      args: {},
      tolerance: 2e-3,
      feature: "shader-f16",
    },
  ];
}

function probabilitySamples(): OpSample<Args>[] {
  const plain = reductions.flatMap((reduction) =>
    [0, 0.1].map((labelSmoothing) => ({
      inputs: [logits(6, 5), probabilities(6, 5)],
      args: { reduction, labelSmoothing },
    })),
  );
  const weighted = reductions.map((reduction) => ({
    note: "weighted",
    inputs: [logits(2, 3, 5), probabilities(2, 3, 5), weightsFor(5)],
    args: { reduction, labelSmoothing: 0.3 },
    gradient: [0, 1],
  }));
  return [
    ...plain,
    ...weighted,
    { inputs: [logits(3, 200), probabilities(3, 200)], args: {} },
    { inputs: [logits(3, 201), probabilities(3, 201)], args: { labelSmoothing: 0.1 } },
    { inputs: [logits(17, 152), probabilities(17, 152)], args: {} },
    {
      note: "weighted",
      inputs: [logits(3, 16), probabilities(3, 16), weightsFor(16)],
      args: { labelSmoothing: 0.3 },
      gradient: [0, 1],
    },
    { note: "one row", inputs: [logits(4), probabilities(4)], args: {} },
  ];
}

const errors: OpError[] = [
  {
    what: "labels of the wrong shape",
    run: () => crossEntropy(tensor([[1, 2]]), tensor([[0]], { dtype: "i32" })),
  },
  {
    what: "probabilities of the wrong shape",
    run: () => crossEntropy(tensor([[1, 2]]), tensor([0])),
  },
  {
    what: "logits without classes",
    run: () => crossEntropy(tensor(1), tensor(0, { dtype: "i32" })),
  },
  {
    what: "no classes",
    run: () => crossEntropy(tensor([], { shape: [2, 0] }), tensor([0, 0], { dtype: "i32" })),
  },
  {
    what: "whole logits",
    run: () => crossEntropy(tensor([[1, 2]], { dtype: "i32" }), tensor([0], { dtype: "i32" })),
  },
  {
    what: "a label out of range",
    run: () =>
      crossEntropy(
        tensor([
          [1, 2],
          [3, 4],
        ]),
        tensor([0, 2], { dtype: "i32" }),
      ),
  },
  {
    what: "a negative label that is not ignoreIndex",
    run: () =>
      crossEntropy(tensor([[1, 2]]), tensor([-100], { dtype: "i32" }), { ignoreIndex: -1 }),
  },
  { what: "too much smoothing", run: () => withOptions({ labelSmoothing: 1.5 }) },
  { what: "a smoothing of NaN", run: () => withOptions({ labelSmoothing: NaN }) },
  { what: "too few class weights", run: () => withOptions({ weight: tensor([1]) }) },
  {
    what: "whole class weights",
    run: () => withOptions({ weight: tensor([1, 1], { dtype: "i32" }) }),
  },
  { what: "an ignoreIndex that is no whole number", run: () => withOptions({ ignoreIndex: 0.5 }) },
  {
    what: "an ignoreIndex with probabilities",
    run: () => crossEntropy(tensor([[1, 2]]), tensor([[0, 1]]), { ignoreIndex: 1 }),
  },
];

function withOptions(options: CrossEntropyOptions): Tensor {
  return crossEntropy(tensor([[1, 2]]), tensor([0], { dtype: "i32" }), options);
}

/** Labels as if they had been computed: those that come from the host are refused before the kernel sees them. */
function computed(target: Tensor): Tensor {
  return isFloat(target.dtype) ? target : add(target, 0);
}

export const crossEntropyCase = opCase<Args>({
  ops: ["crossEntropy"],
  title: "crossEntropy",
  run: ([x, target, weight], args) =>
    crossEntropy(
      x as Tensor,
      computed(target as Tensor),
      weight === undefined ? args : { ...args, weight },
    ),
  reference,
  samples: [...labelSamples(), ...shapeSamples(), ...edgeSamples(), ...probabilitySamples()],
  errors,
});
