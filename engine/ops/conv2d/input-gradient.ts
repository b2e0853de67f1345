/** @file The variants of the convolution's gradient with respect to x, and the choice among them. */
import depthwiseSource from "../../../shaders/conv2d/input-gradient-depthwise.wgsl";
import directSource from "../../../shaders/conv2d/input-gradient-direct.wgsl";
import registerSource from "../../../shaders/conv2d/input-gradient-register.wgsl";
import subgroupSource from "../../../shaders/conv2d/input-gradient-subgroup.wgsl";
import tiledSource from "../../../shaders/conv2d/input-gradient-tiled.wgsl";
import type { Kernel } from "../../kernel.ts";
import { ceilDiv } from "../../shape.ts";
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
import { col2imInputGradient, prefersCol2im } from "./col2im.ts";
import {
  columnGroups,
  defineConvolution,
  describeGeometry,
  elementwise,
  isDepthwise,
  onePart,
  packedIn,
  packedOut,
  paramsOf,
  phasePixels,
  phaseRows,
  strips,
  takesSubgroups,
  tileRows,
  tiles,
  workgroupTiles,
  type InputGradientTensors,
  type InputGradientVariant,
} from "./launch.ts";
import { reachedPhases, type Phase } from "./phases.ts";
import { pointwiseInputGradient } from "./pointwise.ts";
import { preferredWinograd } from "./winograd-choice.ts";
import { winogradInputGradient } from "./winograd.ts";

/** A variant that makes dx phase by phase. */
function variant(
  name: string,
  kernel: Kernel,
  canRun: InputGradientVariant["canRun"],
  overridesOf: (geometry: Geometry, across: Phase) => Readonly<Record<string, number>> = () => ({}),
): InputGradientVariant {
  const run = ({ dy, w, dx }: InputGradientTensors, geometry: Geometry): void => {
    const types = { T: dy.dtype };
    for (const phase of reachedPhases(geometry, dx)) {
      const overrides = overridesOf(geometry, phase[1]);
      kernel({ dy, w, dx }, paramsOf(geometry, onePart, phase), { types, overrides });
    }
  };
  return { name, canRun, run };
}

const direct = variant(
  "direct",
  defineConvolution(
    "conv2d-input-gradient/direct",
    directSource,
    elementwise(phasePixels, "in_channels"),
  ),
  () => true,
);

const register = variant(
  "register",
  defineConvolution(
    "conv2d-input-gradient/register",
    registerSource,
    tiles(phasePixels, "in_channels", 32, 32),
  ),
  (_device, geometry) => packedIn(geometry) && packedOut(geometry),
);

const subgroup = variant(
  "subgroup",
  defineConvolution(
    "conv2d-input-gradient/subgroup",
    subgroupSource,
    tiles(phasePixels, "in_channels", tileRows),
  ),
  (device, geometry) =>
    takesSubgroups(device, geometry) && packedIn(geometry) && packedOut(geometry),
  ({ inChannels }) => ({ COLUMN_GROUPS: columnGroups(inChannels) }),
);

const tiledKernel = defineConvolution(
  "conv2d-input-gradient/tiled",
  tiledSource,
  workgroupTiles(phasePixels, "in_channels"),
);

/** The largest phase, without dilation, as its tiles see it. A smaller one has shorter parts, and may have empty ones. */
function tiledProductOf(geometry: Geometry): TiledProduct {
  const { batch, height, width, inChannels, outChannels, kernel, stride } = geometry;
  const [down, across] = stride;
  return {
    rows: batch * ceilDiv(height, down) * ceilDiv(width, across),
    columns: inChannels,
    k: ceilDiv(kernel[0], down) * ceilDiv(kernel[1], across) * outChannels,
  };
}

function tiledVariant(tiling: Tiling): InputGradientVariant {
  return {
    name: tiling.name,
    canRun: (device, geometry) =>
      geometry.groups === 1 &&
      packedIn(geometry) &&
      packedOut(geometry) &&
      canTile(tiling, device, tiledProductOf(geometry)),
    run: ({ dy, w, dx }, geometry) => {
      const overrides = { OWN_ROWS: tiling.ownRows };
      runTiled("conv2d-input-gradient", dx, tiling, tiledProductOf(geometry), (sums, parts) => {
        const types = { T: dy.dtype, O: sums.dtype };
        for (const phase of reachedPhases(geometry, sums)) {
          const params = paramsOf(geometry, { parts }, phase);
          tiledKernel({ dy, w, dx: sums }, params, { types, overrides });
        }
      });
    },
  };
}

const depthwise = variant(
  "depthwise",
  defineConvolution(
    "conv2d-input-gradient/depthwise",
    depthwiseSource,
    strips(phaseRows, "phase_width"),
  ),
  (_device, geometry) => isDepthwise(geometry),
  ({ kernel }, { tap, tapStep, shiftStep }) => ({
    TAPS: ceilDiv(kernel[1] - tap, tapStep),
    STEP: shiftStep,
  }),
);

/** As of the convolution; the columns of the tiles are the channels of x. */
function prefer(device: Abilities, geometry: Geometry): readonly string[] {
  if (isDepthwise(geometry)) return ["depthwise"];
  const matrix = prefersCol2im(device, geometry) ? ["col2im"] : [];
  const special = ["pointwise", ...preferredWinograd(device, "images", geometry), ...matrix];
  if (!device.adapter.software) {
    const tiled = preferredTilings(device, tiledProductOf(geometry));
    return [...special, ...tiled, "register", "direct"];
  }
  return [...special, "subgroup", "register", "direct"];
}

export const inputGradientFamily = defineFamily<InputGradientTensors, Geometry>({
  name: "conv2dInputGradient",
  variants: [
    direct,
    register,
    ...tilings.map(tiledVariant),
    subgroup,
    depthwise,
    col2imInputGradient,
    pointwiseInputGradient,
    winogradInputGradient(2),
    winogradInputGradient(4),
  ],
  prefer,
  describe: describeGeometry,
});
