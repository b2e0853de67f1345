/**
 * @file The variants of the convolution's gradient with respect to w, and the choice among them. The sum over all pixels is long
 * and its result small, so each works in parts over the images, which are then added up, always in the same order (split-K).
 */
import depthwiseSource from "../../../shaders/conv2d/weight-gradient-depthwise.wgsl";
import directSource from "../../../shaders/conv2d/weight-gradient-direct.wgsl";
import registerSource from "../../../shaders/conv2d/weight-gradient-register.wgsl";
import subgroupSource from "../../../shaders/conv2d/weight-gradient-subgroup.wgsl";
import tiledSource from "../../../shaders/conv2d/weight-gradient-tiled.wgsl";
import type { Kernel, Overrides } from "../../kernel.ts";
import { ceilDiv, sizeOf } from "../../shape.ts";
import { weightShape, type Geometry } from "../conv2d-geometry.ts";
import { defineFamily, type Abilities } from "../variants.ts";
import { sumInParts, wantedWorkgroups, workgroupTile } from "../workgroup-tiles.ts";
import {
  columnGroups,
  defineConvolution,
  describeGeometry,
  directElements,
  elementwise,
  fewestColumns,
  isDepthwise,
  packedIn,
  packedOut,
  paramsOf,
  takesSubgroups,
  tileRows,
  tiles,
  weightRows,
  type Parts,
  type WeightGradientTensors,
  type WeightGradientVariant,
} from "./launch.ts";
import { pointwiseWeightGradient } from "./pointwise.ts";
import { preferredWinograd } from "./winograd-choice.ts";
import { winogradWeightGradient } from "./winograd.ts";

interface Definition {
  readonly name: string;
  readonly kernel: Kernel;
  /** Elements of dw that a workgroup makes. */
  readonly perWorkgroup: number;
  readonly canRun: WeightGradientVariant["canRun"];
  /** The kernel reads x through a second binding, one number at a time. */
  readonly readsScalars?: boolean;
  readonly overrides?: (geometry: Geometry) => Overrides;
}

function variant(definition: Definition): WeightGradientVariant {
  const { name, kernel, perWorkgroup, canRun, readsScalars, overrides } = definition;
  const run = ({ x, dy, dw }: WeightGradientTensors, geometry: Geometry): void => {
    const cut = cutRows(perWorkgroup, geometry, dw.device);
    sumInParts("conv2d-weight-gradient", dw, cut.parts, (sums) => {
      const tensors = { x, dy, dw: sums, ...(readsScalars === true && { x_scalars: x }) };
      const types = { T: x.dtype, O: sums.dtype };
      kernel(tensors, paramsOf(geometry, cut), { types, overrides: overrides?.(geometry) ?? {} });
    });
  };
  return { name, canRun, run };
}

/** The gradient of a small kernel is cut into parts until there are enough workgroups. */
function cutRows(perWorkgroup: number, geometry: Geometry, device: Abilities): Parts {
  const size = sizeOf(weightShape(geometry));
  const rows = geometry.batch * geometry.outHeight;
  const wanted = ceilDiv(wantedWorkgroups(device), ceilDiv(size, perWorkgroup));
  const part_rows = Math.max(1, ceilDiv(rows, wanted));
  return { parts: Math.max(1, ceilDiv(rows, part_rows)), part_rows };
}

const direct = variant({
  name: "direct",
  kernel: defineConvolution(
    "conv2d-weight-gradient/direct",
    directSource,
    elementwise(weightRows, "out_channels"),
  ),
  perWorkgroup: directElements,
  canRun: () => true,
});

/** Takes no groups. */
const register = variant({
  name: "register",
  kernel: defineConvolution(
    "conv2d-weight-gradient/register",
    registerSource,
    tiles(weightRows, "out_channels", 64, 64),
  ),
  perWorkgroup: 64 * 64,
  canRun: (_device, geometry) => geometry.groups === 1 && packedIn(geometry) && packedOut(geometry),
});

/** Takes any number of channels of x. */
const subgroup = variant({
  name: "subgroup",
  kernel: defineConvolution(
    "conv2d-weight-gradient/subgroup",
    subgroupSource,
    tiles(weightRows, "out_channels", tileRows),
  ),
  perWorkgroup: 32 * 32,
  canRun: (device, geometry) => takesSubgroups(device, geometry) && packedOut(geometry),
  readsScalars: true,
  overrides: (geometry) => ({
    COLUMN_GROUPS: columnGroups(geometry.outChannels),
    PACKED: Number(packedIn(geometry)),
    WHOLE_STEPS: Number(geometry.outWidth % 4 === 0),
  }),
});

/** Takes any number of channels of x. */
const tiled = variant({
  name: "tiled",
  kernel: defineConvolution(
    "conv2d-weight-gradient/tiled",
    tiledSource,
    tiles(weightRows, "out_channels", workgroupTile, workgroupTile),
  ),
  perWorkgroup: workgroupTile * workgroupTile,
  canRun: (_device, geometry) => geometry.groups === 1 && packedOut(geometry),
  readsScalars: true,
  overrides: (geometry) => ({ PACKED: Number(packedIn(geometry)) }),
});

/** One invocation makes a row of the kernel for 4 channels. */
const depthwise = variant({
  name: "depthwise",
  kernel: defineConvolution(
    "conv2d-weight-gradient/depthwise",
    depthwiseSource,
    ({ kernel_height = 0, out_channels = 0 }) =>
      ceilDiv((kernel_height * out_channels) / 4, directElements),
  ),
  perWorkgroup: 4 * directElements,
  canRun: (_device, geometry) => isDepthwise(geometry),
  overrides: ({ kernel, stride, dilation }) => ({
    TAPS: kernel[1],
    STRIDE: stride[1],
    STEP: dilation[1],
  }),
});

/** As of the convolution. */
function prefer(device: Abilities, geometry: Geometry): readonly string[] {
  if (isDepthwise(geometry)) return ["depthwise"];
  const winograd = preferredWinograd(device, "weights", geometry);
  if (!device.adapter.software) return ["pointwise", ...winograd, "tiled", "register", "direct"];
  if (packedIn(geometry) && geometry.outChannels < fewestColumns) {
    return ["register", "direct", "subgroup"];
  }
  return ["pointwise", ...winograd, "subgroup", "register", "direct"];
}

export const weightGradientFamily = defineFamily<WeightGradientTensors, Geometry>({
  name: "conv2dWeightGradient",
  variants: [
    direct,
    register,
    tiled,
    subgroup,
    depthwise,
    pointwiseWeightGradient,
    winogradWeightGradient(2),
    winogradWeightGradient(4),
  ],
  prefer,
  describe: describeGeometry,
});
