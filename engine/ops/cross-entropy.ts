/**
 * @file Softmax cross-entropy as one kernel a direction: the gradient is softmax minus target, without a tensor of
 * log-probabilities in between. Formulas: `shaders/softmax/cross-entropy.wgsl`.
 */
import source from "../../shaders/softmax/cross-entropy.wgsl";
import { defineKernel, linearGrid, type ParamValues } from "../kernel.ts";
import { defineOp, type GradientContext } from "../op.ts";
import { Tensor } from "../tensor.ts";
import { mul } from "./binary.ts";
import {
  attributesOf,
  type Attributes,
  type CrossEntropyOptions,
  type LossReduction,
} from "./cross-entropy-arguments.ts";
import { reduceInto } from "./reduce-kernels.ts";
import { planRows, type RowPlan } from "./softmax-rows.ts";
import { logSoftmax } from "./softmax.ts";
import { spreadGrid } from "./vectors.ts";

/** Logits, target and, if there are any, class weights. */
type Inputs = readonly [logits: Tensor, target: Tensor, ...weight: Tensor[]];

type Saved = Readonly<Record<"stats" | "totalWeight", Tensor>>;

const forwardBindings = [
  "x",
  "target_bits",
  "class_weights",
  "losses",
  "row_weights",
  "stats",
  "params",
];

const shortKernel = defineKernel({
  name: "cross-entropy",
  source,
  entryPoint: "forward_short",
  bindings: forwardBindings,
  grid: ({ rows }, overrides) => spreadGrid(rows as number, overrides),
});
const longKernel = defineKernel({
  name: "cross-entropy-long",
  source,
  entryPoint: "forward_long",
  bindings: forwardBindings,
  grid: ({ rows }) => linearGrid(rows as number, 1),
});
const totalKernel = defineKernel({
  name: "cross-entropy-total",
  source,
  entryPoint: "total",
  bindings: ["losses", "row_weights", "loss", "total_weight", "params"],
  grid: () => [1, 1, 1],
});

/** `dx` is bound as vectors of 4 classes or as single ones. */
function gradientKernel(entryPoint: string, dx: string) {
  return defineKernel({
    name: "cross-entropy-gradient",
    source,
    entryPoint,
    bindings: [
      ...["x", "target_bits", "class_weights", "saved_stats", "saved_total_weight", "dy"],
      ...[dx, "params"],
    ],
    grid: ({ rows }, { TEAM = 1, ...overrides }) => spreadGrid((rows as number) * TEAM, overrides),
  });
}

const backwardKernel = gradientKernel("backward", "dx");
const backwardScalarsKernel = gradientKernel("backward_scalars", "dx_scalars");

/** More rows than one workgroup should add up; on a software adapter a dispatch costs as much as thousands of additions. */
function mostRowsOfOneWorkgroup({ device }: Tensor): number {
  return device.adapter.software ? 16384 : 4096;
}

const crossEntropyOp = defineOp<Inputs, Attributes, Saved>({
  name: "crossEntropy",
  output: ([logits], { reduction }) => ({
    shape: reduction === "none" ? logits.shape.slice(0, -1) : [],
    dtype: "f32",
  }),
  forward: ([logits, target, weight], out, attributes) => {
    const { rows, reduction } = attributes;
    const { device } = logits;
    const perRow = (): Tensor => Tensor.allocate("crossEntropy", device, [rows], "f32");
    const losses = reduction === "none" ? out : perRow();
    const rowWeights = perRow();
    const stats = Tensor.allocate("crossEntropy", device, [rows, 4], "f32");
    const plan = planFor(logits, attributes);
    const kernel = plan.isLong ? longKernel : shortKernel;
    const tensors = {
      x: logits,
      target_bits: target,
      class_weights: weight ?? logits,
      losses,
      row_weights: rowWeights,
      stats,
    };
    kernel(tensors, paramsOf(plan, attributes), optionsOf(plan, weight, attributes));
    const totalWeight =
      reduction === "none" ? rowWeights : addUp(plan, losses, rowWeights, out, attributes);
    return { stats, totalWeight };
  },
  gradient: (dy, context) => {
    const { needs } = context;
    return [
      needs[0] === true ? logitsGradient(dy, context) : null,
      needs[1] === true ? targetGradient(dy, context) : null,
      null,
    ];
  },
});

function planFor(logits: Tensor, { rows, classes }: Attributes): RowPlan {
  return planRows(logits, { outer: rows, length: classes, inner: 1 });
}

/** Reduces the rows to `out`; returns what the mean divided by. */
function addUp(
  plan: RowPlan,
  losses: Tensor,
  rowWeights: Tensor,
  out: Tensor,
  attributes: Attributes,
): Tensor {
  const totalWeight = Tensor.allocate("crossEntropy", out.device, [1], "f32");
  const params = paramsOf(plan, attributes);
  const { TREE_SIZE } = plan.overrides;
  const options = { overrides: { TREE_SIZE, REDUCTION: attributes.reduction.toUpperCase() } };
  const sums = { loss: out, total_weight: totalWeight };
  if (attributes.rows > mostRowsOfOneWorkgroup(out)) {
    const tensors = { losses: sumOfRows(losses), row_weights: sumOfRows(rowWeights), ...sums };
    totalKernel(tensors, { ...params, rows: 1 }, options);
  } else {
    totalKernel({ losses, row_weights: rowWeights, ...sums }, params, options);
  }
  return totalWeight;
}

function sumOfRows(perRow: Tensor): Tensor {
  const total = Tensor.allocate("crossEntropy", perRow.device, [1], "f32");
  const blocks = [{ outer: 1, length: perRow.size, inner: 1 }];
  reduceInto(perRow, blocks, total, { kind: "SUM", label: "cross-entropy-total" });
  return total;
}

function logitsGradient(
  dy: Tensor,
  { inputs, attributes, saved }: GradientContext<Inputs, Attributes, Saved>,
): Tensor {
  const [logits, target, weight] = inputs;
  const dx = Tensor.allocate("crossEntropy", logits.device, logits.shape, logits.dtype);
  const plan = planFor(logits, attributes);
  const tensors = {
    x: logits,
    target_bits: target,
    class_weights: weight ?? logits,
    saved_stats: saved.stats,
    saved_total_weight: saved.totalWeight,
    dy,
    dx,
    dx_scalars: dx,
  };
  const options = optionsOf(plan, weight, attributes, attributes.reduction);
  const overrides = { ...options.overrides, TEAM: gradientTeam(logits, plan) };
  const types = { ...options.types, T: logits.dtype };
  const kernel = plan.overrides.LANES === 4 ? backwardKernel : backwardScalarsKernel;
  kernel(tensors, paramsOf(plan, attributes), { overrides, types });
  return dx;
}

/** Invocations that make the gradient of a row: one on a software adapter, if there are enough rows, else as many as have work. */
function gradientTeam({ device }: Tensor, { isLong, params, overrides }: RowPlan): number {
  if (device.adapter.software && !isLong) return 1;
  return 2 ** Math.floor(Math.log2(Math.min(params.count, overrides.WORKGROUP)));
}

/** `-(1 - smoothing) * weight * log softmax(logits)`, over the number of rows for a mean. Only for probabilities. */
function targetGradient(
  dy: Tensor,
  { inputs, attributes }: GradientContext<Inputs, Attributes, Saved>,
): Tensor {
  const [logits, , weight] = inputs;
  const { reduction, rows, labelSmoothing } = attributes;
  const factor = (labelSmoothing - 1) / (reduction === "mean" ? rows : 1);
  const scaled = mul(
    logSoftmax(logits),
    mul(reduction === "none" ? dy.alias([...dy.shape, 1]) : dy, factor),
  );
  return weight === undefined ? scaled : mul(scaled, weight);
}

function paramsOf(
  { params }: RowPlan,
  { classes, ignoreIndex, labelSmoothing }: Attributes,
): ParamValues {
  return { ...params, classes, ignored: ignoreIndex >>> 0, smoothing: labelSmoothing };
}

/** Forward is the same whatever becomes of the rows, so it is compiled once. */
function optionsOf(
  plan: RowPlan,
  weight: Tensor | undefined,
  attributes: Attributes,
  reduction: LossReduction = "none",
) {
  const { probabilities, labelSmoothing } = attributes;
  return {
    overrides: {
      ...plan.overrides,
      PROBABILITIES: Number(probabilities),
      WEIGHTED: Number(weight !== undefined),
      SMOOTH: Number(labelSmoothing > 0),
      REDUCTION: reduction.toUpperCase(),
    },
    types: plan.types,
  };
}

/**
 * The cross-entropy between `softmax(logits)` and the target, in natural units, as `torch.nn.functional.cross_entropy`; but
 * classes are the last axis of `logits`, `[..., classes]`. The result is f32: a scalar, or `[...]` without reduction.
 *
 * The target holds whole labels `[...]` (i32 or u32), or probabilities `[..., classes]` (f32). A mean divides by the sum of the
 * weights of the labels that count (so it is NaN if none does), for probabilities by the number of rows.
 *
 * A label outside 0..classes-1 that is not `ignoreIndex` is refused when the labels came from the host, as those of a loader
 * do. Labels that were computed on the device are not read back: there it makes the loss of its row, and a mean or sum over
 * it, NaN, and its gradient too; `checkLabels` says which label it was.
 *
 * @throws ShapeError, DTypeError when the inputs do not fit together, ArgumentError for options outside their domain and for
 * labels out of range.
 */
export function crossEntropy(
  logits: Tensor,
  target: Tensor,
  options: CrossEntropyOptions = {},
): Tensor {
  const { weight } = options;
  const attributes = attributesOf(logits, target, options);
  return crossEntropyOp(
    weight === undefined ? [logits, target] : [logits, target, weight],
    attributes,
  );
}
