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

/** Invocations from which on a software adapter has work for all cores in workgroups of 64. */
const manyInvocations = 1024;

/**
 * The override GROUP: invocations of a workgroup, for kernels whose invocations need nothing of each other. A software adapter gives
 * whole workgroups to cores, and to start one costs as much as several loads: it wants narrow ones of 8, the lanes of a vector, where
 * there are few invocations.
 */
export function groupFor({ adapter }: Device, invocations: number): number {
  return adapter.software && invocations < manyInvocations ? 8 : 64;
}
