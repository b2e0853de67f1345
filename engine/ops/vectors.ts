/** @file How many vec4s one invocation makes. The shader's side is `shaders/lib/vectors.wgsl`. */
import type { Device } from "../device/device.ts";
import { linearGrid, type Grid, type ParamValues } from "../kernel.ts";

/** WORKGROUP of the shader: steps from one item of an invocation to its next one. */
export const stepSize = 64;

/**
 * The override VECTORS: vec4s that one invocation makes. On a software adapter, to start 8 invocations costs as much as several
 * loads; a GPU wants many invocations instead, to hide latency.
 */
export function vectorsOn({ adapter }: Device): number {
  return adapter.software ? 16 : 4;
}

/** The same in elements, where the items are vec4s. */
export const vectorStep = 4 * stepSize;

/** The grid for `size` items of any kind, VECTORS for each invocation. */
export function stepGrid(
  { size }: ParamValues,
  { VECTORS = 4 }: Readonly<Record<string, number>>,
): Grid {
  return linearGrid(size as number, stepSize * VECTORS);
}

/** The grid for `size` elements, four in each vec4. */
export function vectorGrid(
  { size }: ParamValues,
  { VECTORS = 4 }: Readonly<Record<string, number>>,
): Grid {
  return linearGrid(size as number, vectorStep * VECTORS);
}

/** How items are shared out that are more work than a vec4: rows, slices of columns. */
interface Spread {
  readonly WORKGROUP: number;
  readonly VECTORS: number;
}

/** Invocations that keep all cores of a software adapter busy. */
const busy = 512;

/**
 * The overrides for so many items. A GPU wants an invocation for each. A software adapter gives whole workgroups to cores, so they are
 * narrow, 8 lanes of a vector; and where there are many items, each invocation takes several, because to start one costs as
 * much as to add up a short row.
 */
export function spreadOf({ adapter }: Device, items: number): Spread {
  if (!adapter.software) return { WORKGROUP: stepSize, VECTORS: 1 };
  return { WORKGROUP: 8, VECTORS: Math.max(1, Math.min(64, Math.floor(items / busy))) };
}

/** The grid for so many items. */
export function spreadGrid(
  items: number,
  { WORKGROUP = stepSize, VECTORS = 1 }: Readonly<Record<string, number>>,
): Grid {
  return linearGrid(items, WORKGROUP * VECTORS);
}
