/**
 * @file The passes of batch normalisation and of its gradient, each one dispatch. Formulas:
 * `shaders/norm/batch-norm.wgsl` and `shaders/norm/batch-norm-gradient.wgsl`.
 */
import gradientSource from "../../shaders/norm/batch-norm-gradient.wgsl";
import source from "../../shaders/norm/batch-norm.wgsl";
import {
  defineKernel,
  linearGrid,
  type KernelDefinition,
  type KernelOptions,
  type ParamValues,
  type ShaderSource,
} from "../kernel.ts";
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

/** Weight and bias, if any. */
export interface Affine {
  readonly weight: Tensor | undefined;
  readonly bias: Tensor | undefined;
}

function channelsOf(x: Tensor) {
  const channels = x.shape.at(-1) ?? 1;
  return { ...channelVectors(x.dtype, channels), rows: x.size / channels };
}

/**
 * A slice is long enough to be worth its two results, and short enough that the rounding of a long
 * sum does not show.
 */
function summingSlices(x: Tensor): ColumnSlices {
  const { rows, columns } = channelsOf(x);
  const invocations = busyInvocations(x.device);
  return sliceColumns(x.device, rows, columns, { invocations, fewestRows: 16, mostRows: 1024 });
}

/**
 * Rows of a slice of a pass that writes every element: enough to share the loading of what belongs
 * to the channel.
 */
function writingSlices(x: Tensor): ColumnSlices {
  const { rows, columns } = channelsOf(x);
  const fewestRows = x.device.adapter.software ? 32 : 4;
  return sliceColumns(x.device, rows, columns, { invocations: Infinity, fewestRows });
}

function optionsFor(x: Tensor, overrides: Readonly<Record<string, number>>): KernelOptions {
  return { overrides, types: channelsOf(x).types("S", "V") };
}

/** Invocations that combine the slices of one column. */
function teamFor({ device }: Tensor) {
  return { TEAM: device.adapter.software ? 1 : 64 };
}

function scratch(x: Tensor, vectors: number): Tensor {
  const { lanes, columns } = channelsOf(x);
  return Tensor.allocate("batchNorm", x.device, [vectors, columns * lanes], "f32");
}

/** The moments of the batch; updates the running statistics, if there are any. */
export function batchMoments(
  x: Tensor,
  affine: Affine,
  tracked: RunningStatistics | undefined,
  { eps, momentum }: { readonly eps: number; readonly momentum: number },
): Tensor {
  const params = { ...summingSlices(x), eps, momentum };
  const partials = scratch(x, 2 * params.slices);
  statisticsKernel({ x, partials_out: partials }, params, optionsFor(x, {}));
  const moments = scratch(x, momentVectors);
  const tensors = { x, partials, moments_out: moments, ...placeholders(affine, x) };
  const options = optionsFor(x, { ...affineOverrides(affine), ...teamFor(x) });
  if (tracked === undefined) combineKernel(tensors, params, options);
  else {
    const { mean, variance } = tracked;
    const all = { ...tensors, running_mean: mean, running_var: variance };
    combineAndTrackKernel(all, params, options);
  }
  return moments;
}

/** The moments from running statistics. */
export function runningMoments(
  x: Tensor,
  affine: Affine,
  { mean, variance }: RunningStatistics,
  eps: number,
): Tensor {
  const moments = scratch(x, momentVectors);
  runningKernel(
    {
      moments_out: moments,
      running_mean: mean,
      running_var: variance,
      ...placeholders(affine, x),
    },
    { ...summingSlices(x), eps, momentum: 0 },
    optionsFor(x, affineOverrides(affine)),
  );
  return moments;
}

/** A binding that an override leaves unused still wants a buffer. */
function placeholders({ weight, bias }: Affine, unused: Tensor) {
  return { weight: weight ?? unused, bias: bias ?? unused };
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
  const params = { ...writingSlices(x), eps: 0, momentum: 0 };
  normalizeKernel({ x, residual: residual ?? x, y, moments }, params, optionsFor(x, overrides));
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
  const params = summingSlices(x);
  const partials = scratch(x, 2 * params.slices);
  const g =
    typeof mask === "string" ? dy : Tensor.allocate("batchNorm", x.device, x.shape, x.dtype);
  if (typeof mask === "string") {
    const options = optionsFor(x, { MASK: Number(mask === "from x") });
    sumsKernel({ x, dy, moments, partials_out: partials }, params, options);
  } else {
    const tensors = { x, dy, y: mask.from, moments, g, partials_out: partials };
    sumsAndMaskKernel(tensors, params, optionsFor(x, {}));
  }
  const shape: Shape = x.shape.slice(-1);
  const dweight = Tensor.allocate("batchNorm", x.device, shape, "f32");
  const dbias = Tensor.allocate("batchNorm", x.device, shape, "f32");
  const slopes = scratch(x, 2);
  const results = { dweight, dbias, slopes_out: slopes };
  combineGradientKernel({ partials, moments, ...results }, params, optionsFor(x, teamFor(x)));
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
  const overrides = {
    MASK: Number(maskFromX),
    BATCH_STATISTICS: Number(slopes !== undefined),
  };
  const tensors = { x, dy: g, moments, slopes: slopes ?? moments, dx };
  inputKernel(tensors, writingSlices(x), optionsFor(x, overrides));
  return dx;
}
