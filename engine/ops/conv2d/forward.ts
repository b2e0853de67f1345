/** @file The variants of the convolution, from the plainest to the most special, and the choice among them. */
import directSource from "../../../shaders/conv2d/direct.wgsl";
import registerSource from "../../../shaders/conv2d/register.wgsl";
import narrowSource from "../../../shaders/conv2d/subgroup-narrow.wgsl";
import subgroupSource from "../../../shaders/conv2d/subgroup.wgsl";
import type { Kernel } from "../../kernel.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import { defineFamily, type Abilities } from "../variants.ts";
import {
  columnGroups,
  defineConvolution,
  describeGeometry,
  elementwise,
  fewestColumns,
  outPixels,
  packedIn,
  packedOut,
  paramsOf,
  takesSubgroups,
  tiled,
  tileRows,
  type Channels,
  type ForwardTensors,
  type ForwardVariant,
} from "./launch.ts";

function variant(
  name: string,
  kernel: Kernel,
  canRun: ForwardVariant["canRun"],
  overridesOf: (geometry: Geometry) => Readonly<Record<string, number>> = () => ({}),
): ForwardVariant {
  const run = ({ x, w, bias, out }: ForwardTensors, geometry: Geometry): void => {
    const overrides = { BIAS: Number(bias !== undefined), ...overridesOf(geometry) };
    // Without a bias its binding takes anything.
    const tensors = { x, w, bias: bias ?? w, out };
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
  defineConvolution("conv2d/register", registerSource, tiled(outPixels, "out_channels", 32, 32)),
  (_device, geometry) => packedIn(geometry) && packedOut(geometry),
);

/** Loads least. */
const subgroup = variant(
  "subgroup",
  defineConvolution("conv2d/subgroup", subgroupSource, tiled(outPixels, "out_channels", tileRows)),
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
    tiled(outPixels, "out_channels", tileRows),
  ),
  (device, geometry) => takesSubgroups(device, geometry) && packedOut(geometry),
  subgroupColumns,
);

/** Figures: docs/rejected-experiments.md. */
function prefer(_device: Abilities, { outChannels }: Channels): readonly string[] {
  const fast = ["subgroup", "subgroup-narrow"];
  return outChannels >= fewestColumns
    ? [...fast, "register", "direct"]
    : ["register", "direct", ...fast];
}

export const forwardFamily = defineFamily<ForwardTensors, Geometry>({
  name: "conv2d",
  variants: [direct, register, subgroup, subgroupNarrow],
  prefer,
  describe: describeGeometry,
});
