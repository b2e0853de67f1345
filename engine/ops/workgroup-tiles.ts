/**
 * @file Products by tiles in workgroup memory, of matrices and of convolutions alike: the ways to run such a kernel, and which of them
 * fills a GPU. WGSL: `shaders/lib/workgroup-tile.wgsl`; the arithmetic behind the numbers: `docs/writing-a-kernel.md`.
 */
import { ceilDiv } from "../shape.ts";
import { Tensor } from "../tensor.ts";
import { blocksOf, reduceInto } from "./reduce-kernels.ts";
import type { Abilities } from "./variants.ts";

/** What a kernel makes, seen as a stack of matrix products. */
export interface TiledProduct {
  /** Default: 1. */
  readonly batch?: number;
  readonly rows: number;
  readonly columns: number;
  /** Length of the sums. */
  readonly k: number;
}

/** A way to run a kernel of tiles: a variant of its own in every family. */
export interface Tiling {
  readonly name: string;
  /** The override OWN_ROWS: rows of the tile are 8 times as many. */
  readonly ownRows: 4 | 8;
  /** The sums are cut into parts, which workgroups of their own make and another kernel adds up. */
  readonly isCut: boolean;
}

const whole: Tiling = { name: "tiled", ownRows: 8, isCut: false };
const halved: Tiling = { name: "tiled-32", ownRows: 4, isCut: false };
const cut: Tiling = { name: "split-k", ownRows: 8, isCut: true };

export const tilings: readonly Tiling[] = [whole, halved, cut];

/** Columns of a tile, and its rows, if each of 8 x 8 invocations has 8 of them. */
export const workgroupTile = 64;

/** Steps of k between two barriers. */
const step = 16;

/** Workgroups that keep the device busy: of llvmpipe as many as it has threads at most, because parts that no core waits for only cost. */
export function wantedWorkgroups({ adapter }: Abilities): number {
  return adapter.software ? 32 : 512;
}

function tilesOf({ batch = 1, rows, columns }: TiledProduct): number {
  return batch * ceilDiv(rows, workgroupTile) * ceilDiv(columns, workgroupTile);
}

/**
 * Parts into which sums are cut so that there are enough workgroups; 1 where there are already, or where the sums are short. A part
 * of s steps does 4 s flops for each byte of its sums, which are written and read once. At least 8 steps make up for the rest of a
 * workgroup's work; half as many as there are tiles keep the sums cheap where the tiles would have filled a small machine uncut.
 */
export function partsOf(device: Abilities, product: TiledProduct): number {
  const tiles = tilesOf(product);
  const steps = ceilDiv(product.k, step);
  const fewestSteps = Math.max(8, tiles / 2);
  const parts = Math.floor(Math.min(wantedWorkgroups(device) / tiles, steps / fewestSteps));
  // As many as have something to do, if all but the last are of one length.
  return parts <= 1 ? 1 : ceilDiv(steps, ceilDiv(steps, parts));
}

/** Whether a tiling makes sense for a product. */
export function canTile({ isCut }: Tiling, device: Abilities, product: TiledProduct): boolean {
  return !isCut || partsOf(device, product) > 1;
}

/** Names of the tilings, the one expected to be fastest on a GPU first. */
export function preferredTilings(device: Abilities, product: TiledProduct): readonly string[] {
  const isFew = tilesOf(product) <= wantedWorkgroups(device) / 2;
  // A family passes over "split-k" where it cannot run.
  return (isFew ? [cut, halved, whole] : [whole, halved]).map(({ name }) => name);
}

/** Runs a kernel of tiles, in parts if the tiling says so: `dispatch` fills `sums`, which is `[parts, ...out.shape]`. */
export function runTiled(
  op: string,
  out: Tensor,
  { isCut }: Tiling,
  product: TiledProduct,
  dispatch: (sums: Tensor, parts: number) => void,
): void {
  sumInParts(op, out, isCut ? partsOf(out.device, product) : 1, dispatch);
}

/** Lets `dispatch` fill the sums of so many parts, and adds them up, always in the same order. Sums of parts are f32. */
export function sumInParts(
  op: string,
  out: Tensor,
  parts: number,
  dispatch: (sums: Tensor, parts: number) => void,
): void {
  if (parts === 1) {
    dispatch(out, parts);
    return;
  }
  const sums = Tensor.allocate(op, out.device, [parts, out.size], "f32");
  dispatch(sums, parts);
  reduceInto(sums, blocksOf(sums.shape, [0]), out, { kind: "SUM", label: `${op}/sum` });
}
