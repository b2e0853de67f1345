/**
 * @file How a matrix is shared out to invocations that each work on one column. The shader's side
 * of it is `shaders/lib/column-slices.wgsl`.
 */
import { ceilDiv } from "../shape.ts";
import type { Abilities } from "./variants.ts";

/** Members of `struct Params`, named as there. */
export interface ColumnSlices extends Readonly<Record<string, number>> {
  readonly rows: number;
  /** Vectors in a row. */
  readonly columns: number;
  /** Slices whose rows alternate. */
  readonly group: number;
  readonly rows_per_group: number;
  /** Of each column; a multiple of `group`. */
  readonly slices: number;
}

export const workgroupSize = 64;

type Adapted = Pick<Abilities, "adapter">;

/**
 * Invocations that keep a device busy: a software adapter has few lanes, a GPU hides latency by
 * many.
 */
export function busyInvocations({ adapter }: Adapted): number {
  return adapter.software ? 1024 : 32768;
}

/** How many slices, and of which length. */
export interface SliceLimits {
  /** In all, for all columns. */
  readonly invocations: number;
  readonly fewestRows: number;
  /** As far as possible. Default: any number. */
  readonly mostRows?: number;
}

/**
 * Slices of at least `fewestRows` rows for so many invocations. On a GPU the rows of neighbouring slices alternate; on a
 * software adapter they do not, so that each goes through memory in order: 7 instead of 11 ns a vector of a large tensor.
 */
export function sliceColumns(
  { adapter }: Adapted,
  rows: number,
  columns: number,
  { invocations, fewestRows, mostRows = Infinity }: SliceLimits,
): ColumnSlices {
  const useful = Math.min(Math.ceil(invocations / columns), Math.floor(rows / fewestRows));
  const wanted = Math.max(useful, Math.ceil(rows / mostRows), 1);
  const widest = adapter.software ? 1 : Math.max(1, Math.floor(workgroupSize / columns));
  const group = Math.min(wanted, widest);
  const blocks = ceilDiv(wanted, group);
  return { rows, columns, group, slices: blocks * group, rows_per_group: ceilDiv(rows, blocks) };
}
