/**
 * @file The passes of batch normalisation and of its gradient, each one dispatch. Formulas:
 * `shaders/norm/batch-norm.wgsl` and `shaders/norm/batch-norm-gradient.wgsl`.
 */
import gradientSource from "../../shaders/norm/batch-norm-gradient.wgsl";
import source from "../../shaders/norm/batch-norm.wgsl";
import type { DType } from "../dtype.ts";
import {
  defineKernel,
  linearGrid,
  type KernelDefinition,
  type ParamValues,
  type ShaderSource,
  type TypeAliases,
} from "../kernel.ts";
import { remember } from "../remember.ts";
import type { Shape } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { channelVectors } from "./channel-vectors.ts";
import {
  busyInvocations,
  sliceColumns,
  workgroupSize,
  type ColumnSlices,
} from "./column-slices.ts";

const sliceGrid = ({ columns, slices }: ParamValues) =>
  linearGrid((columns as number) * (slices as number), workgroupSize);
const teamGrid: KernelDefinition["grid"] = ({ columns }, { TEAM = 1 }) =>
  linearGrid((columns as number) * TEAM, workgroupSize);
const vectorGrid = ({ columns }: ParamValues) => linearGrid(columns as number, workgroupSize);

function pass(
  name: string,
  file: ShaderSource,
  entryPoint: string,
  bindings: readonly string[],
  grid: KernelDefinition["grid"] = sliceGrid,
) {
  return defineKernel({
    name: `batchNorm-${name}`,
    source: file,
    entryPoint,
    bindings: [...bindings, "params"],
    grid,
  });
}

const statisticsKernel = pass("statistics", source, "statistics", ["x", "partials_out"]);
const combineBindings = ["x", "partials", "moments_out", "weight", "bias"];
const trackedBindings = ["running_mean", "running_var"];
const combineKernel = pass("combine", source, "combine", combineBindings, teamGrid);
const combineAndTrackKernel = pass(
  "combine",
  source,
  "combine_and_track",
  [...combineBindings, ...trackedBindings],
  teamGrid,
);
const runningKernel = pass(
  "running",
  source,
  "running",
  ["moments_out", "weight", "bias", ...trackedBindings],
  vectorGrid,
);
const normalizeKernel = pass("normalize", source, "normalize_rows", [
  "x",
  "residual",
  "y",
  "moments",
]);
const sumsKernel = pass("gradient-sums", gradientSource, "sums", [
  "x",
  "dy",
  "moments",
  "partials_out",
]);
const sumsAndMaskKernel = pass("gradient-sums-mask", gradientSource, "sums_and_mask", [
  ...["x", "dy", "y", "moments"],
  ...["g", "partials_out"],
]);
const combineGradientKernel = pass(
  "gradient-combine",
  gradientSource,
  "combine",
  ["partials", "moments", "dweight", "dbias", "slopes_out"],
  teamGrid,
);
const inputKernel = pass("gradient-input", gradientSource, "input", [
  "x",
  "dy",
  "moments",
  "slopes",
  "dx",
]);

/** Pivot, offset, 1 / deviation, scale, shift: see the shader. */
const momentVectors = 5;

/** Running statistics, updated in place. */
export interface RunningStatistics {
  readonly mean: Tensor;
  readonly variance: Tensor;
}

/** Weight and bias, if any. A binding that an override leaves unused still wants a buffer: that of x. */
export interface Affine {
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;
}

/** How the passes over a tensor are cut; the same for all tensors of its type and shape. */
interface Cut {
  readonly channels: number;
  readonly types: TypeAliases;
  /**
   * A slice is long enough to be worth its two results, and short enough that the rounding of a long
   * sum does not show.
   */
  readonly summing: ColumnSlices;
  /**
   * Rows of a slice of a pass that writes every element: enough to share the loading of what belongs
   * to the channel.
   */
  readonly writing: ColumnSlices;
}

const cut = remember((software: boolean, dtype: DType, rows: number, channels: number): Cut => {
  const on = { adapter: { software } };
  const { columns, types } = channelVectors(dtype, channels);
  const invocations = busyInvocations(on);
  const sums = { invocations, fewestRows: 16, mostRows: 1024 };
  const writes = { invocations: Infinity, fewestRows: software ? 32 : 4 };
  return {
    channels,
    types: types("S", "V"),
    summing: sliceColumns(on, rows, columns, sums),
    writing: sliceColumns(on, rows, columns, writes),
  };
});

function cutOf({ device, dtype, shape, size }: Tensor): Cut {
  const channels = shape.at(-1) ?? 1;
  return cut(device.adapter.software, dtype, size / channels, channels);
}

/** Invocations that combine the slices of one column. */
function teamFor({ device }: Tensor) {
  return { TEAM: device.adapter.software ? 1 : 64 };
}

function scratch(x: Tensor, vectors: number): Tensor {
  return Tensor.allocate("batchNorm", x.device, [vectors, x.shape.at(-1) ?? 1], "f32");
}

/** The moments of the batch; updates the running statistics, if there are any. */
export function batchMoments(
  x: Tensor,
  affine: Affine,
  tracked: RunningStatistics | undefined,
  { eps, momentum }: { readonly eps: number; readonly momentum: number },
): Tensor {
  const { summing, types } = cutOf(x);
  const params = { ...summing, eps, momentum };
  const partials = scratch(x, 2 * summing.slices);
  statisticsKernel({ x, partials_out: partials }, params, { types });
  const moments = scratch(x, momentVectors);
  const { weight = x, bias = x } = affine;
  const overrides = { ...affineOverrides(affine), ...teamFor(x) };
  const tensors = { x, partials, moments_out: moments, weight, bias };
  if (tracked === undefined) combineKernel(tensors, params, { overrides, types });
  else {
    const { mean: running_mean, variance: running_var } = tracked;
    const all = { ...tensors, running_mean, running_var };
    combineAndTrackKernel(all, params, { overrides, types });
  }
  return moments;
}

/** The moments from running statistics. */
export function runningMoments(
  x: Tensor,
  affine: Affine,
  { mean: running_mean, variance: running_var }: RunningStatistics,
  eps: number,
): Tensor {
  const { summing, types } = cutOf(x);
  const moments = scratch(x, momentVectors);
  const { weight = x, bias = x } = affine;
  runningKernel(
    { moments_out: moments, running_mean, running_var, weight, bias },
    { ...summing, eps, momentum: 0 },
    { overrides: affineOverrides(affine), types },
  );
  return moments;
}

function affineOverrides({ weight, bias }: Affine) {
  return { WEIGHT: Number(weight !== undefined), BIAS: Number(bias !== undefined) };
}

/** Fills `y`. */
export function normalize(
  x: Tensor,
  y: Tensor,
  moments: Tensor,
  { relu, residual }: { readonly relu: boolean; readonly residual: Tensor | undefined },
): void {
  const overrides = { RELU: Number(relu), RESIDUAL: Number(residual !== undefined) };
  const { writing, types } = cutOf(x);
  const params = { ...writing, eps: 0, momentum: 0 };
  normalizeKernel({ x, residual: residual ?? x, y, moments }, params, { overrides, types });
}

/** What of dy relu let through: all of it, what `x` says, or what the output says. */
export type ReluMask = "none" | "from x" | { readonly from: Tensor };

export interface ChannelGradients {
  readonly dweight: Tensor;
  readonly dbias: Tensor;
  /** What dx needs besides moments, x and g. */
  readonly slopes: Tensor;
  /** dy where relu let y through; dy itself where the mask is none or comes from x. */
  readonly g: Tensor;
}

/** Sums over the rows, by channel. */
export function channelGradients(
  x: Tensor,
  dy: Tensor,
  moments: Tensor,
  mask: ReluMask,
): ChannelGradients {
  const { summing, types } = cutOf(x);
  const partials = scratch(x, 2 * summing.slices);
  const g =
    typeof mask === "string" ? dy : Tensor.allocate("batchNorm", x.device, x.shape, x.dtype);
  if (typeof mask === "string") {
    const params = { ...summing, mask: Number(mask === "from x") };
    sumsKernel({ x, dy, moments, partials_out: partials }, params, { types });
  } else {
    const tensors = { x, dy, y: mask.from, moments, g, partials_out: partials };
    sumsAndMaskKernel(tensors, { ...summing, mask: 0 }, { types });
  }
  const shape: Shape = x.shape.slice(-1);
  const dweight = Tensor.allocate("batchNorm", x.device, shape, "f32");
  const dbias = Tensor.allocate("batchNorm", x.device, shape, "f32");
  const slopes = scratch(x, 2);
  const tensors = { partials, moments, dweight, dbias, slopes_out: slopes };
  combineGradientKernel(tensors, { ...summing, mask: 0 }, { overrides: teamFor(x), types });
  return { dweight, dbias, slopes, g };
}

/** dx; `slopes` only where the statistics are those of the batch. */
export function inputGradient(
  x: Tensor,
  g: Tensor,
  moments: Tensor,
  slopes: Tensor | undefined,
  maskFromX: boolean,
): Tensor {
  const dx = Tensor.allocate("batchNorm", x.device, x.shape, x.dtype);
  const overrides = { BATCH_STATISTICS: Number(slopes !== undefined) };
  const tensors = { x, dy: g, moments, slopes: slopes ?? moments, dx };
  const { writing, types } = cutOf(x);
  inputKernel(tensors, { ...writing, mask: Number(maskFromX) }, { overrides, types });
  return dx;
}
