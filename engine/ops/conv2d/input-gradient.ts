/** @file The variants of the convolution's gradient with respect to x, and the choice among them. */
import depthwiseSource from "../../../shaders/conv2d/input-gradient-depthwise.wgsl";
import directSource from "../../../shaders/conv2d/input-gradient-direct.wgsl";
import registerSource from "../../../shaders/conv2d/input-gradient-register.wgsl";
import subgroupSource from "../../../shaders/conv2d/input-gradient-subgroup.wgsl";
import tiledSource from "../../../shaders/conv2d/input-gradient-tiled.wgsl";
import type { Kernel } from "../../kernel.ts";
import { ceilDiv } from "../../shape.ts";
import type { Tensor } from "../../tensor.ts";
import { phasesOf, type Geometry, type Phase } from "../conv2d-geometry.ts";
import { fillWith } from "../fill.ts";
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
  byGeometry,
  columnGroups,
  defineConvolution,
  describeGeometry,
  elementwise,
  fewestColumns,
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
    forEachPhase(geometry, dx, (phase) => {
      const overrides = overridesOf(geometry, phase[1]);
      kernel({ dy, w, dx }, paramsOf(geometry, onePart, phase), { types, overrides });
    });
  };
  return { name, canRun, run };
}

type PhasePair = readonly [Phase, Phase];

/** By phases no kernel multiplies by zeros. Those that no tap reaches are zero. */
function forEachPhase(geometry: Geometry, dx: Tensor, dispatch: (phase: PhasePair) => void): void {
  const phases = phasePairs(geometry);
  const reached = phases.filter(
    ([y, x]) => y.tap < geometry.kernel[0] && x.tap < geometry.kernel[1],
  );
  if (reached.length < phases.length) fillWith(dx, 0);
  for (const phase of reached) dispatch(phase);
}

const phasePairs = byGeometry((geometry): readonly PhasePair[] => {
  const columns = phasesOf(geometry, 1);
  return phasesOf(geometry, 0).flatMap((y) => columns.map((x) => [y, x] as const));
});

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
        forEachPhase(geometry, sums, (phase) => {
          const params = paramsOf(geometry, { parts }, phase);
          tiledKernel({ dy, w, dx: sums }, params, { types, overrides });
        });
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
  const winograd = preferredWinograd(device, geometry);
  if (!device.adapter.software) {
    const tiled = preferredTilings(device, tiledProductOf(geometry));
    return ["pointwise", ...winograd, ...tiled, "register", "direct"];
  }
  if (geometry.inChannels < fewestColumns) return ["register", "subgroup", "direct"];
  return ["pointwise", ...winograd, "subgroup", "register", "direct"];
}

export const inputGradientFamily = defineFamily<InputGradientTensors, Geometry>({
  name: "conv2dInputGradient",
  variants: [
    direct,
    register,
    ...tilings.map(tiledVariant),
    subgroup,
    depthwise,
    pointwiseInputGradient,
    winogradInputGradient(2),
    winogradInputGradient(4),
  ],
  prefer,
  describe: describeGeometry,
});
