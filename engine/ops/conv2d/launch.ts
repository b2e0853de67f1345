/** @file What the kernels of the convolution and of its gradients share: tensors, `struct Params`, grids. WGSL: `shaders/conv2d/`. */
import { defineKernel, linearGrid, type Kernel, type ShaderSource } from "../../kernel.ts";
import { ceilDiv } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import type { Phase } from "./phases.ts";
import type { Abilities, Operands, Variant } from "../variants.ts";
import { workgroupTile } from "../workgroup-tiles.ts";

/** `out` = x * w, plus the bias if there is one. */
export interface ForwardTensors extends Operands {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly bias: Tensor | undefined;
  readonly out: Tensor;
}

/** `dx` from `dy`. */
export interface InputGradientTensors extends Operands {
  readonly dy: Tensor;
  readonly w: Tensor;
  readonly dx: Tensor;
}

/** `dw` from x and `dy`. */
export interface WeightGradientTensors extends Operands {
  readonly x: Tensor;
  readonly dy: Tensor;
  readonly dw: Tensor;
}

/** What the choice of a forward variant looks at. */
export interface ForwardProblem extends Geometry {
  /** Something is added to every pixel. Default: false. */
  readonly bias?: boolean;
}

export type ForwardVariant = Variant<ForwardTensors, ForwardProblem>;
export type InputGradientVariant = Variant<InputGradientTensors, Geometry>;
export type WeightGradientVariant = Variant<WeightGradientTensors, Geometry>;

/** What follows from a geometry alone, computed once for each. */
export function byGeometry<T>(compute: (geometry: Geometry) => T): (geometry: Geometry) => T {
  const results = new WeakMap<Geometry, T>();
  return (geometry) => {
    let result = results.get(geometry);
    if (result === undefined) results.set(geometry, (result = compute(geometry)));
    return result;
  };
}

/** Members of `struct Params` by name; see geometry.wgsl. */
export type Numbers = Readonly<Record<string, number>>;

/** How many workgroups make one layer of the grid. */
type Workgroups = (params: Numbers, overrides: Numbers) => number;

/** Workgroups lie in x, spilling into y; the parts of the sums are layers in z. */
export function defineConvolution(
  name: string,
  source: ShaderSource,
  workgroups: Workgroups,
): Kernel {
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

export const outPixels = (p: Numbers): number => product(p, "batch", "out_height", "out_width");
export const outRows = (p: Numbers): number => product(p, "batch", "out_height");
export const phaseRows = (p: Numbers): number => product(p, "batch", "phase_height");
export const phasePixels = (p: Numbers): number =>
  product(p, "batch", "phase_height", "phase_width");
export const weightRows = (p: Numbers): number =>
  product(p, "kernel_height", "kernel_width", "in_channels") / (p["groups"] ?? 1);

function product(params: Numbers, ...names: string[]): number {
  return names.reduce((total, name) => total * (params[name] ?? 0), 1);
}

/** Elements that a workgroup of the direct variants makes. */
export const directElements = 64;

/** A grid with an invocation for each element of `rows` x `channels`. */
export const elementwise =
  (rows: (p: Numbers) => number, channels: string): Workgroups =>
  (params) =>
    ceilDiv(rows(params) * product(params, channels), directElements);

/** A grid with a workgroup for each tile of `height` rows; `width` defaults to that of a subgroup's tile. */
export const tiles =
  (rows: (p: Numbers) => number, channels: string, height: number, width?: number): Workgroups =>
  (params, { COLUMN_GROUPS = 8 }) =>
    ceilDiv(rows(params), height) * ceilDiv(product(params, channels), width ?? 4 * COLUMN_GROUPS);

/** A grid with a workgroup for each tile in workgroup memory, which has 8 x OWN_ROWS rows. */
export const workgroupTiles =
  (rows: (p: Numbers) => number, channels: string): Workgroups =>
  (params, { OWN_ROWS = 8 }) =>
    ceilDiv(rows(params), 8 * OWN_ROWS) * ceilDiv(product(params, channels), workgroupTile);

/** Pixels of a row that an invocation of the depthwise variants makes, and the most taps of a row that it keeps in registers. */
const stripPixels = 4;
const mostTaps = 8;

/** A grid with an invocation for each strip of a row and 4 channels. */
export const strips =
  (rows: (p: Numbers) => number, width: string): Workgroups =>
  (params) =>
    ceilDiv(
      rows(params) *
        ceilDiv(product(params, width), stripPixels) *
        (product(params, "in_channels") / 4),
      directElements,
    );

/** Each channel is a group of its own, and they come in vec4s. */
export function isDepthwise({ groups, inChannels, outChannels, kernel }: Geometry): boolean {
  return (
    groups === inChannels &&
    outChannels === inChannels &&
    inChannels % 4 === 0 &&
    kernel[1] <= mostTaps
  );
}

const noPhase: Phase = { first: 0, count: 0, tap: 0, tapStep: 1, shift: 0, shiftStep: 0 };

/** The pixels of out whose patches are made. */
interface Patches {
  readonly first_pixel: number;
  readonly pixels: number;
}

const noPatches: Patches = { first_pixel: 0, pixels: 0 };

/** How the sums are cut; see geometry.wgsl. */
export interface Parts {
  readonly parts: number;
  /** Default: 0. */
  readonly part_rows?: number;
}

export const onePart: Parts = { parts: 1 };

export function paramsOf(
  geometry: Geometry,
  { parts, part_rows = 0 }: Parts = onePart,
  [y, x]: readonly [Phase, Phase] = [noPhase, noPhase],
  patches: Patches = noPatches,
): Numbers {
  const { kernel, stride, dilation, pad } = geometry;
  // Not put together of parts by spreading: an object of so many members would become a slow hash table.
  return {
    batch: geometry.batch,
    height: geometry.height,
    width: geometry.width,
    in_channels: geometry.inChannels,
    out_height: geometry.outHeight,
    out_width: geometry.outWidth,
    out_channels: geometry.outChannels,
    groups: geometry.groups,
    kernel_height: kernel[0],
    kernel_width: kernel[1],
    stride_y: stride[0],
    stride_x: stride[1],
    dilation_y: dilation[0],
    dilation_x: dilation[1],
    pad_top: pad[0],
    pad_left: pad[1],
    parts,
    part_rows,
    first_pixel: patches.first_pixel,
    pixels: patches.pixels,
    phase_y: y.first,
    phase_height: y.count,
    tap_y: y.tap,
    tap_step_y: y.tapStep,
    phase_x: x.first,
    phase_width: x.count,
    tap_x: x.tap,
    tap_step_x: x.tapStep,
    shift_y: y.shift,
    shift_step_y: y.shiftStep,
    shift_x: x.shift,
    shift_step_x: x.shiftStep,
  };
}

/** Rows of a subgroup's tile. */
export const tileRows = 32;

/** Lanes of a subgroup in the shaders. */
const lanes = 8;

/** Fewer columns than this leave most of a subgroup's tile unused. */
export const fewestColumns = 8;

/** vec4s in a row of a subgroup's tile. */
export function columnGroups(channels: number): number {
  return channels <= 16 ? 4 : 8;
}

/** The part of a geometry that most choices look at. */
export type Channels = Pick<Geometry, "inChannels" | "outChannels" | "groups">;

/** The device has the subgroups of the shaders, and the problem no groups. */
export function takesSubgroups(device: Abilities, { groups }: Channels): boolean {
  return device.hasSubgroupsOf(lanes) && groups === 1;
}

/** Channels of x, in each group, come in vec4s. */
export function packedIn({ inChannels, groups }: Channels): boolean {
  return (inChannels / groups) % 4 === 0;
}

/** Channels of out, in each group, come in vec4s. */
export function packedOut({ outChannels, groups }: Channels): boolean {
  return (outChannels / groups) % 4 === 0;
}

/** The geometry in words: what the tuner remembers winners by. */
export function describeGeometry(g: Geometry): string {
  const size = `${g.batch}x${g.height}x${g.width}x${g.inChannels}`;
  const pair = ([y, x]: readonly [number, number]): string => (y === x ? `${y}` : `${y},${x}`);
  return [
    `${size} -> ${g.outHeight}x${g.outWidth}x${g.outChannels}`,
    `kernel ${g.kernel.join("x")}`,
    `stride ${pair(g.stride)}`,
    `pad ${pair(g.pad)}`,
    ...(g.dilation.some((d) => d !== 1) ? [`dilation ${pair(g.dilation)}`] : []),
    ...(g.groups === 1 ? [] : [`groups ${g.groups}`]),
  ].join(" ");
}
