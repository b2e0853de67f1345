/** @file Where Winograd's convolution can run, and where it is expected to be faster than the kernels that multiply by every tap. */
import { ceilDiv } from "../../shape.ts";
import type { Geometry } from "../conv2d-geometry.ts";
import type { Abilities } from "../variants.ts";
import { tileRows } from "./launch.ts";
import { byGeometry } from "./launch.ts";
import { positionsOf, rowBytes, tilingOf, type TileSize } from "./winograd-steps.ts";

/** No workspace is larger than what every WebGPU device can bind. */
const mostBytes = 128 * 2 ** 20;

/** 3 x 3, stride 1, no dilation, no groups, channels in vec4s on both sides, an image at least; any size and padding. */
export function canWinograd(tile: TileSize, geometry: Geometry): boolean {
  const { batch, kernel, stride, dilation, groups, inChannels, outChannels } = geometry;
  const isPlain =
    kernel.every((size) => size === 3) && [...stride, ...dilation, groups].every((n) => n === 1);
  if (!isPlain || batch === 0 || inChannels % 4 !== 0 || outChannels % 4 !== 0) return false;
  const width = Math.max(geometry.width, geometry.outWidth);
  const [c, d] = [storedChannels(inChannels), storedChannels(outChannels)];
  const row = rowBytes(tilingOf(tile, 1, 1, width), Math.max(c, d));
  // A pass of the weights' gradient has up to 4 rows.
  return Math.max(4 * positionsOf(tile) * c * d, 4 * row) <= mostBytes;
}

/** Channels as packed factors store them: filled up to whole blocks. */
export function storedChannels(channels: number): number {
  return tileRows * ceilDiv(channels, tileRows);
}

interface Machine {
  /** Rows of a matrix product that take as long as one. */
  readonly tileRows: number;
  /** Multiplications of the products that take as long as one of the direct kernel. */
  readonly perDirect: number;
  /** Multiplications that take as long as to store a value of the workspace and to load it again. */
  readonly perValue: number;
  /** Multiplications that take as long as to begin one sum of a product and to store it: the sums of the weights' gradient can be short. */
  readonly perSum: number;
  /** Multiplications that take as long as three more dispatches. */
  readonly perCall: number;
}

/**
 * Software: measured on llvmpipe, where products run at 20 to 25 G multiplications a second, the transforms take 1.1 to 1.3 ns a
 * value, and a dispatch some 20 us. Of 24 convolutions with 16 to 512 channels none got a slower variant for it; a few small
 * ones that would have gained up to a third stayed direct. SwiftShader gains more, and earlier: 2 times with 16 channels. Beside 64
 * multiplications of 3.8 us, a tile of sums takes 1.2 us to begin and 1.2 us to store.
 *
 * GPU: by the arithmetic in docs/writing-a-kernel.md. Direct kernels reach 78 % of the peak, products 84 %. A value is 8 bytes of traffic, and
 * common GPUs do some 35 flops a byte at their peaks: 8 * 35 * 0.84 / 2 multiplications. Three dispatches are 15 us at 5 T
 * multiplications a second.
 */
const software: Machine = { tileRows: 32, perDirect: 1, perValue: 30, perSum: 40, perCall: 1.5e6 };
const gpu: Machine = {
  tileRows: 64,
  perDirect: 0.84 / 0.78,
  perValue: 118,
  perSum: 0,
  perCall: 75e6,
};

/** The gradient of the weights adds up over the rows; the convolution and the gradient of its input over channels. */
type Direction = "images" | "weights";

/** Time in multiplications of the products. Rows of the products are pixels or tiles. */
function directTime(machine: Machine, direction: Direction, geometry: Geometry): number {
  const { batch, outHeight, outWidth, inChannels, outChannels } = geometry;
  const rows = machine.tileRows * ceilDiv(batch * outHeight * outWidth, machine.tileRows);
  const begun = direction === "weights" ? machine.perSum : 0;
  return machine.perDirect * 9 * (rows + begun) * inChannels * outChannels;
}

function winogradTime(
  machine: Machine,
  direction: Direction,
  tile: TileSize,
  geometry: Geometry,
): number {
  const { batch, outHeight, outWidth, inChannels, outChannels } = geometry;
  const { tilesY, tilesX } = tilingOf(tile, batch, outHeight, outWidth);
  const tiles = batch * tilesY * tilesX;
  const rows = machine.tileRows * ceilDiv(tiles, machine.tileRows);
  const kernels = inChannels * outChannels;
  const begun = direction === "weights" ? machine.perSum : 0;
  // Patches, products and kernels are stored and loaded.
  const values = tiles * (inChannels + outChannels) + kernels;
  const multiplications = (rows + begun) * kernels + machine.perValue * values;
  return positionsOf(tile) * multiplications + machine.perCall;
}

/** What Winograd's convolution must save to be worth its memory and its pipelines. */
const mostOfDirect = 0.9;

function preferredOn(
  machine: Machine,
  direction: Direction,
  geometry: Geometry,
): readonly string[] {
  const most = mostOfDirect * directTime(machine, direction, geometry);
  return ([2, 4] as const)
    .filter((tile) => canWinograd(tile, geometry))
    .map((tile) => ({
      name: winogradName(tile),
      time: winogradTime(machine, direction, tile, geometry),
    }))
    .filter(({ time }) => time < most)
    .sort((a, b) => a.time - b.time)
    .map(({ name }) => name);
}

const preferences = (machine: Machine) => ({
  images: byGeometry((geometry) => preferredOn(machine, "images", geometry)),
  weights: byGeometry((geometry) => preferredOn(machine, "weights", geometry)),
});

const [onSoftware, onGpu] = [preferences(software), preferences(gpu)];

/** The names of the variants that are expected to be clearly faster than the direct kernels, the fastest first. */
export function preferredWinograd(
  { adapter }: Abilities,
  direction: Direction,
  geometry: Geometry,
): readonly string[] {
  return (adapter.software ? onSoftware : onGpu)[direction](geometry);
}

export function winogradName(tile: TileSize): string {
  return `winograd-${tile}x${tile}`;
}
