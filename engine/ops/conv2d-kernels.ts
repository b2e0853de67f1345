/** @file The kernels of the convolution and of its two gradients, and the choice among them. WGSL: `shaders/conv2d/`. */
import directSource from "../../shaders/conv2d/direct.wgsl";
import inputDirectSource from "../../shaders/conv2d/input-gradient-direct.wgsl";
import inputRegisterSource from "../../shaders/conv2d/input-gradient-register.wgsl";
import inputSubgroupSource from "../../shaders/conv2d/input-gradient-subgroup.wgsl";
import registerSource from "../../shaders/conv2d/register.wgsl";
import narrowSource from "../../shaders/conv2d/subgroup-narrow.wgsl";
import subgroupSource from "../../shaders/conv2d/subgroup.wgsl";
import weightDirectSource from "../../shaders/conv2d/weight-gradient-direct.wgsl";
import weightRegisterSource from "../../shaders/conv2d/weight-gradient-register.wgsl";
import weightSubgroupSource from "../../shaders/conv2d/weight-gradient-subgroup.wgsl";
import { defineKernel, linearGrid, type Kernel, type ShaderSource } from "../kernel.ts";
import { ceilDiv, sizeOf } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { phasesOf, weightShape, type Geometry, type Phase } from "./conv2d-geometry.ts";
import { fillWith } from "./fill.ts";
import { blocksOf, reduceInto } from "./reduce-kernels.ts";
import { chooseVariant, type Abilities, type Candidates } from "./variants.ts";

export type ForwardVariant = "direct" | "register" | "subgroup" | "subgroup-narrow";
export type GradientVariant = "direct" | "register" | "subgroup";

/** Members of `struct Params` by name; see geometry.wgsl. */
type Numbers = Readonly<Record<string, number>>;

/** How many workgroups make one layer of the grid. */
type Workgroups = (params: Numbers, overrides: Numbers) => number;

/** Workgroups lie in x, spilling into y; the parts of the weight gradient are layers in z. */
function define(name: string, source: ShaderSource, workgroups: Workgroups): Kernel {
  return defineKernel({
    name,
    source,
    grid: (params, overrides) => {
      const numbers = params as Numbers;
      const [x, y] = linearGrid(workgroups(numbers, overrides), 1);
      return [x, y, numbers["parts"] ?? 1];
    },
  });
}

/** What a workgroup makes: elements of the direct variants, rows of a tile of the others. */
const directElements = 64;
const tileRows = 32;

const outPixels = (p: Numbers): number => product(p, "batch", "out_height", "out_width");
const phasePixels = (p: Numbers): number => product(p, "batch", "phase_height", "phase_width");
const weightRows = (p: Numbers): number =>
  product(p, "kernel_height", "kernel_width", "in_channels") / (p["groups"] ?? 1);

function product(params: Numbers, ...names: string[]): number {
  return names.reduce((total, name) => total * (params[name] ?? 0), 1);
}

const elementwise =
  (rows: (p: Numbers) => number, channels: string): Workgroups =>
  (params) =>
    ceilDiv(rows(params) * product(params, channels), directElements);

const tiled =
  (rows: (p: Numbers) => number, channels: string, height: number, width?: number): Workgroups =>
  (params, { COLUMN_GROUPS = 8 }) =>
    ceilDiv(rows(params), height) * ceilDiv(product(params, channels), width ?? 4 * COLUMN_GROUPS);

const forwardKernels: Readonly<Record<ForwardVariant, Kernel>> = {
  direct: define("conv2d/direct", directSource, elementwise(outPixels, "out_channels")),
  register: define("conv2d/register", registerSource, tiled(outPixels, "out_channels", 32, 32)),
  subgroup: define("conv2d/subgroup", subgroupSource, tiled(outPixels, "out_channels", tileRows)),
  "subgroup-narrow": define(
    "conv2d/subgroup-narrow",
    narrowSource,
    tiled(outPixels, "out_channels", tileRows),
  ),
};

const inputGradientKernels: Readonly<Record<GradientVariant, Kernel>> = {
  direct: define(
    "conv2d-input-gradient/direct",
    inputDirectSource,
    elementwise(phasePixels, "in_channels"),
  ),
  register: define(
    "conv2d-input-gradient/register",
    inputRegisterSource,
    tiled(phasePixels, "in_channels", 32, 32),
  ),
  subgroup: define(
    "conv2d-input-gradient/subgroup",
    inputSubgroupSource,
    tiled(phasePixels, "in_channels", tileRows),
  ),
};

const weightGradientKernels: Readonly<Record<GradientVariant, Kernel>> = {
  direct: define(
    "conv2d-weight-gradient/direct",
    weightDirectSource,
    elementwise(weightRows, "out_channels"),
  ),
  register: define(
    "conv2d-weight-gradient/register",
    weightRegisterSource,
    tiled(weightRows, "out_channels", 64, 64),
  ),
  subgroup: define(
    "conv2d-weight-gradient/subgroup",
    weightSubgroupSource,
    tiled(weightRows, "out_channels", tileRows),
  ),
};

const noPhase: Phase = { first: 0, count: 0, tap: 0, tapStep: 1, shift: 0, shiftStep: 0 };

interface Parts {
  readonly parts: number;
  readonly part_rows: number;
}

const onePart: Parts = { parts: 1, part_rows: 0 };

function paramsOf(
  geometry: Geometry,
  { parts, part_rows }: Parts = onePart,
  [y, x]: readonly [Phase, Phase] = [noPhase, noPhase],
): Numbers {
  const { batch, height, width, inChannels, outHeight, outWidth, outChannels } = geometry;
  const { kernel, stride, dilation, pad, groups } = geometry;
  return {
    ...{ batch, height, width, in_channels: inChannels },
    ...{ out_height: outHeight, out_width: outWidth, out_channels: outChannels, groups },
    ...{ kernel_height: kernel[0], kernel_width: kernel[1] },
    ...{ stride_y: stride[0], stride_x: stride[1] },
    ...{ dilation_y: dilation[0], dilation_x: dilation[1] },
    ...{ pad_top: pad[0], pad_left: pad[1], parts, part_rows },
    ...{ phase_y: y.first, phase_height: y.count, tap_y: y.tap, tap_step_y: y.tapStep },
    ...{ phase_x: x.first, phase_width: x.count, tap_x: x.tap, tap_step_x: x.tapStep },
    ...{ shift_y: y.shift, shift_step_y: y.shiftStep },
    ...{ shift_x: x.shift, shift_step_x: x.shiftStep },
  };
}

/** Lanes of a subgroup in the shaders. */
const lanes = 8;

/** Fewer columns than this leave most of a subgroup's tile unused. */
const fewestColumns = 8;

/** What the choice of a variant looks at. */
interface Fit {
  /** The device has the subgroups, and the problem no groups. */
  readonly subgroups: boolean;
  /** Channels of x and of out, in each group, come in vec4s. */
  readonly packedIn: boolean;
  readonly packedOut: boolean;
}

/** The part of a geometry that decides. */
type Channels = Pick<Geometry, "inChannels" | "outChannels" | "groups">;

function fitOf(device: Abilities, { inChannels, outChannels, groups }: Channels): Fit {
  return {
    subgroups: device.hasSubgroupsOf(lanes) && groups === 1,
    packedIn: (inChannels / groups) % 4 === 0,
    packedOut: (outChannels / groups) % 4 === 0,
  };
}

/**
 * The variants that can run the convolution. `subgroup` loads least; where channels of x do not come in vec4s, `subgroup-narrow`
 * takes its place. `register` runs on every device and takes groups. `direct` does everything, and is best only for what the
 * others cannot do: depthwise and other odd numbers of channels. Figures: docs/rejected-experiments.md.
 */
export function forwardVariants(device: Abilities, geometry: Channels): Candidates<ForwardVariant> {
  const { subgroups, packedIn, packedOut } = fitOf(device, geometry);
  const portable: Candidates<ForwardVariant> =
    packedIn && packedOut ? ["register", "direct"] : ["direct"];
  if (!subgroups || !packedOut) return portable;
  if (!packedIn) return ["subgroup-narrow", ...portable];
  const fast = ["subgroup", "subgroup-narrow"] as const;
  return geometry.outChannels >= fewestColumns ? [...fast, ...portable] : [...portable, ...fast];
}

/** The same for the gradient with respect to x, whose columns are the channels of x. */
export function inputGradientVariants(
  device: Abilities,
  geometry: Channels,
): Candidates<GradientVariant> {
  const { subgroups, packedIn, packedOut } = fitOf(device, geometry);
  if (!packedIn || !packedOut) return ["direct"];
  if (!subgroups) return ["register", "direct"];
  return geometry.inChannels >= fewestColumns
    ? ["subgroup", "register", "direct"]
    : ["register", "subgroup", "direct"];
}

/** The same for the gradient with respect to w. Here `subgroup` takes any number of channels of x, and `register` no groups. */
export function weightGradientVariants(
  device: Abilities,
  geometry: Channels,
): Candidates<GradientVariant> {
  const { subgroups, packedIn, packedOut } = fitOf(device, geometry);
  const portable: Candidates<GradientVariant> =
    packedIn && packedOut && geometry.groups === 1 ? ["register", "direct"] : ["direct"];
  if (!subgroups || !packedOut) return portable;
  if (!packedIn || geometry.outChannels >= fewestColumns) return ["subgroup", ...portable];
  return [...portable, "subgroup"];
}

function columnGroups(channels: number): number {
  return channels <= 16 ? 4 : 8;
}

/** `out` = x * w, plus the bias if there is one. */
export function launchForward(
  x: Tensor,
  w: Tensor,
  bias: Tensor | undefined,
  out: Tensor,
  geometry: Geometry,
): void {
  const variant = chooseVariant("conv2d", forwardVariants(out.device, geometry));
  const overrides = {
    BIAS: Number(bias !== undefined),
    ...(variant.startsWith("subgroup") && { COLUMN_GROUPS: columnGroups(geometry.outChannels) }),
  };
  // Without a bias its binding takes anything.
  const tensors = { x, w, bias: bias ?? w, out };
  forwardKernels[variant](tensors, paramsOf(geometry), { overrides, types: { T: x.dtype } });
}

/** `dx` from `dy`, phase by phase. Phases that no tap reaches are zero. */
export function launchInputGradient(dy: Tensor, w: Tensor, dx: Tensor, geometry: Geometry): void {
  const variant = chooseVariant("conv2dInputGradient", inputGradientVariants(dx.device, geometry));
  const options = {
    types: { T: dy.dtype },
    ...(variant === "subgroup" && {
      overrides: { COLUMN_GROUPS: columnGroups(geometry.inChannels) },
    }),
  };
  const isReached = ([y, x]: readonly [Phase, Phase]): boolean =>
    y.tap < geometry.kernel[0] && x.tap < geometry.kernel[1];
  const phases = phasesOf(geometry, 0).flatMap((y) =>
    phasesOf(geometry, 1).map((x): readonly [Phase, Phase] => [y, x]),
  );
  if (!phases.every(isReached)) fillWith(dx, 0);
  for (const phase of phases.filter(isReached)) {
    const params = paramsOf(geometry, onePart, phase);
    inputGradientKernels[variant]({ dy, w, dx }, params, options);
  }
}

/** Workgroups that keep the device busy; the weight gradient of a small kernel is cut into parts until there are as many. */
function wantedWorkgroups({ adapter }: Abilities): number {
  return adapter.software ? 64 : 1024;
}

function partsOf(variant: GradientVariant, geometry: Geometry, device: Abilities): Parts {
  const size = sizeOf(weightShape(geometry));
  const perWorkgroup = { direct: directElements, register: 64 * 64, subgroup: 32 * 32 }[variant];
  const rows = geometry.batch * geometry.outHeight;
  const wanted = ceilDiv(wantedWorkgroups(device), ceilDiv(size, perWorkgroup));
  const part_rows = Math.max(1, ceilDiv(rows, wanted));
  return { parts: Math.max(1, ceilDiv(rows, part_rows)), part_rows };
}

/** `dw` from x and dy: in parts over the images, which are then added up, always in the same order. */
export function launchWeightGradient(x: Tensor, dy: Tensor, dw: Tensor, geometry: Geometry): void {
  const candidates = weightGradientVariants(dw.device, geometry);
  const variant = chooseVariant("conv2dWeightGradient", candidates);
  const cut = partsOf(variant, geometry, dw.device);
  const { parts } = cut;
  const sums =
    parts === 1 ? dw : Tensor.allocate("conv2dWeightGradient", dw.device, [parts, dw.size], "f32");
  const overrides = {
    COLUMN_GROUPS: columnGroups(geometry.outChannels),
    PACKED: Number(geometry.inChannels % 4 === 0),
  };
  const tensors = variant === "subgroup" ? { x, x_scalars: x, dy, dw: sums } : { x, dy, dw: sums };
  weightGradientKernels[variant](tensors, paramsOf(geometry, cut), {
    types: { T: x.dtype, O: sums.dtype },
    ...(variant === "subgroup" && { overrides }),
  });
  if (sums === dw) return;
  const label = "conv2d-weight-gradient/sum";
  reduceInto(sums, blocksOf(sums.shape, [0]), dw, { kind: "SUM", label });
}
