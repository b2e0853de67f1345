/** @file The variants of the convolution, from the plainest to the most special, and the choice among them. */
import depthwiseSource from "../../../shaders/conv2d/depthwise.wgsl";
import directSource from "../../../shaders/conv2d/direct.wgsl";
import registerSource from "../../../shaders/conv2d/register.wgsl";
import narrowSource from "../../../shaders/conv2d/subgroup-narrow.wgsl";
import subgroupSource from "../../../shaders/conv2d/subgroup.wgsl";
import tiledSource from "../../../shaders/conv2d/tiled.wgsl";
import type { Kernel } from "../../kernel.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import { defineFamily, type Abilities } from "../variants.ts";
import {
  canTile,
  preferredTilings,
  runTiled,
  tilings,
  type TiledProduct,
  type Tiling,
} from "../workgroup-tiles.ts";
import {
  columnGroups,
  defineConvolution,
  describeGeometry,
  elementwise,
  fewestColumns,
  isDepthwise,
  outPixels,
  outRows,
  packedIn,
  packedOut,
  paramsOf,
  strips,
  takesSubgroups,
  tileRows,
  tiles,
  workgroupTiles,
  type ForwardProblem,
  type ForwardTensors,
  type ForwardVariant,
} from "./launch.ts";
import { im2colForward, prefersIm2col } from "./im2col.ts";
import { pointwiseForward } from "./pointwise.ts";
import { preferredWinograd } from "./winograd-choice.ts";
import { winogradForward } from "./winograd.ts";

function variant(
  name: string,
  kernel: Kernel,
  canRun: ForwardVariant["canRun"],
  overridesOf: (geometry: Geometry) => Readonly<Record<string, number>> = () => ({}),
): ForwardVariant {
  const run = ({ x, w, bias, out }: ForwardTensors, geometry: Geometry): void => {
    const overrides = { BIAS: Number(bias !== undefined), ...overridesOf(geometry) };
    // Without a bias its binding takes anything. Some kernels read x through a second binding, one number at a time.
    const tensors = { x, x_scalars: x, w, bias: bias ?? w, out };
    kernel(tensors, paramsOf(geometry), { overrides, types: { T: x.dtype } });
  };
  return { name, canRun, run };
}

const subgroupColumns = ({ outChannels }: Geometry) => ({
  COLUMN_GROUPS: columnGroups(outChannels),
});

/** Does everything, and is best only for what the others cannot do: odd numbers of channels. */
const direct = variant(
  "direct",
  defineConvolution("conv2d/direct", directSource, elementwise(outPixels, "out_channels")),
  () => true,
);

/** Runs on every device and takes groups. */
const register = variant(
  "register",
  defineConvolution("conv2d/register", registerSource, tiles(outPixels, "out_channels", 32, 32)),
  (_device, geometry) => packedIn(geometry) && packedOut(geometry),
);

const tiledKernel = defineConvolution(
  "conv2d/tiled",
  tiledSource,
  workgroupTiles(outPixels, "out_channels"),
);

/** The convolution as its tiles see it. */
function tiledProductOf(geometry: Geometry): TiledProduct {
  const { batch, outHeight, outWidth, outChannels, inChannels, kernel } = geometry;
  const rows = batch * outHeight * outWidth;
  return { rows, columns: outChannels, k: kernel[0] * kernel[1] * inChannels };
}

/** Takes any number of channels of x. */
function tiledVariant(tiling: Tiling): ForwardVariant {
  return {
    name: tiling.name,
    canRun: (device, geometry) =>
      geometry.groups === 1 &&
      packedOut(geometry) &&
      canTile(tiling, device, tiledProductOf(geometry)),
    run: ({ x, w, bias, out }, geometry) => {
      const overrides = {
        ...{ BIAS: Number(bias !== undefined), PACKED: Number(packedIn(geometry)) },
        OWN_ROWS: tiling.ownRows,
      };
      runTiled("conv2d", out, tiling, tiledProductOf(geometry), (sums, parts) => {
        const tensors = { x, x_scalars: x, w, bias: bias ?? w, out: sums };
        const types = { T: x.dtype, O: sums.dtype };
        tiledKernel(tensors, paramsOf(geometry, { parts }), { overrides, types });
      });
    },
  };
}

/** Loads least. */
const subgroup = variant(
  "subgroup",
  defineConvolution("conv2d/subgroup", subgroupSource, tiles(outPixels, "out_channels", tileRows)),
  (device, geometry) =>
    takesSubgroups(device, geometry) && packedIn(geometry) && packedOut(geometry),
  subgroupColumns,
);

/** Takes the place of `subgroup` where channels of x do not come in vec4s. */
const subgroupNarrow = variant(
  "subgroup-narrow",
  defineConvolution(
    "conv2d/subgroup-narrow",
    narrowSource,
    tiles(outPixels, "out_channels", tileRows),
  ),
  (device, geometry) => takesSubgroups(device, geometry) && packedOut(geometry),
  subgroupColumns,
);

/** One channel a group makes no matrix. */
const depthwise = variant(
  "depthwise",
  defineConvolution("conv2d/depthwise", depthwiseSource, strips(outRows, "out_width")),
  (_device, geometry) => isDepthwise(geometry),
  ({ kernel, stride, dilation }) => ({ TAPS: kernel[1], STRIDE: stride[1], STEP: dilation[1] }),
);

/** Workgroup memory pays on GPUs, and nothing but fewer loads on software adapters. Figures: docs/rejected-experiments.md. */
function prefer(device: Abilities, geometry: Geometry): readonly string[] {
  if (isDepthwise(geometry)) return ["depthwise"];
  const winograd = preferredWinograd(device, "images", geometry);
  if (!device.adapter.software) {
    const tiled = preferredTilings(device, tiledProductOf(geometry));
    return ["pointwise", ...winograd, ...tiled, "register", "direct"];
  }
  const patches = prefersIm2col(device, geometry) ? ["im2col"] : [];
  const fast = ["pointwise", ...winograd, ...patches, "subgroup", "subgroup-narrow"];
  return geometry.outChannels >= fewestColumns
    ? [...fast, "register", "direct"]
    : ["register", "direct", ...fast];
}

export const forwardFamily = defineFamily<ForwardTensors, ForwardProblem>({
  name: "conv2d",
  variants: [
    direct,
    register,
    ...tilings.map(tiledVariant),
    subgroup,
    subgroupNarrow,
    depthwise,
    im2colForward,
    pointwiseForward,
    winogradForward(2),
    winogradForward(4),
  ],
  prefer,
  describe: (problem) => `${describeGeometry(problem)}${problem.bias === true ? " bias" : ""}`,
});
