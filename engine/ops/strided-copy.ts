/**
 * @file Moving elements between two places that are both walked by strides: what permute, slice, flip, expand, concat and pad
 * have in common. A plan is simplified first, because a copy of few axes and wide units is a fast one.
 */
import stridedSource from "../../shaders/movement/strided-copy.wgsl";
import transposeSource from "../../shaders/movement/transpose.wgsl";
import { bytesPerElement } from "../dtype.ts";
import { defineKernel, linearGrid } from "../kernel.ts";
import { mergeAxes, sizeOf, stridesOf, type Shape } from "../shape.ts";
import type { Tensor } from "../tensor.ts";

/** One axis of the region that is copied: its size, and how far one step goes in either tensor, in elements. */
export interface CopyAxis {
  readonly size: number;
  readonly xStride: number;
  readonly outStride: number;
}

/** Where the region begins, in elements. Default: 0. */
export interface CopyOffsets {
  readonly xOffset?: number;
  readonly outOffset?: number;
}

const stridedKernel = defineKernel({
  name: "strided-copy",
  source: stridedSource,
  grid: ({ size }) => linearGrid(size as number, 64),
});
const transposeKernel = defineKernel({
  name: "transpose",
  source: transposeSource,
  grid: ({ blocks }) => linearGrid(blocks as number, 64),
});

/** The axes of a region of `shape` from the strides of either side; the strides default to row-major. */
export function copyAxes(
  shape: Shape,
  {
    xStrides,
    outStrides,
  }: { readonly xStrides?: readonly number[]; readonly outStrides?: readonly number[] },
): CopyAxis[] {
  const contiguous = stridesOf(shape);
  const from = xStrides ?? contiguous;
  const to = outStrides ?? contiguous;
  return shape.map((size, axis) => ({ size, xStride: from[axis] ?? 0, outStride: to[axis] ?? 0 }));
}

/** Records the copy of a region of `x` to a region of `out`, bit by bit; both have the same type. `label` names it in profiles. */
export function copyStrided(
  label: string,
  x: Tensor,
  out: Tensor,
  axes: readonly CopyAxis[],
  { xOffset = 0, outOffset = 0 }: CopyOffsets = {},
): void {
  if (axes.some(({ size }) => size === 0)) return;
  const plan: Plan = { label, x, out, axes: simplify(axes), xOffset, outOffset };
  if (!copyBlock(plan) && !copyTransposed(plan)) copyUnits(plan);
}

interface Plan extends Required<CopyOffsets> {
  readonly label: string;
  readonly x: Tensor;
  readonly out: Tensor;
  readonly axes: readonly CopyAxis[];
}

/** As few axes as the walk allows, at least one. */
function simplify(axes: readonly CopyAxis[]): CopyAxis[] {
  const lists = [
    axes.map(({ xStride }) => xStride),
    axes.map(({ outStride }) => outStride),
  ] as const;
  const { shape, strides } = mergeAxes(
    axes.map(({ size }) => size),
    lists,
  );
  const [xStrides, outStrides] = strides;
  if (shape.length === 0) return [{ size: 1, xStride: 1, outStride: 1 }];
  return copyAxes(shape, { xStrides, outStrides });
}

/** One unbroken block of whole words: the queue copies it without a kernel. */
function copyBlock({ x, out, axes, xOffset, outOffset, label }: Plan): boolean {
  const [block] = axes;
  if (axes.length !== 1 || block?.xStride !== 1 || block.outStride !== 1) return false;
  const elementBytes = bytesPerElement[x.dtype];
  const from = xOffset * elementBytes;
  const to = outOffset * elementBytes;
  const length = block.size * elementBytes;
  if ([from, to, length].some((bytes) => bytes % 4 !== 0)) return false;
  const source = x.memory(label);
  const target = out.memory(label);
  x.device.recorder.copy(
    source.buffer,
    source.byteOffset + from,
    target.buffer,
    target.byteOffset + to,
    length,
  );
  return true;
}

/** `[batches, rows, columns]` to `[batches, columns, rows]`, both sizes multiples of 4: NHWC to NCHW and back, matrices. */
function copyTransposed({ x, out, axes, xOffset, outOffset, label }: Plan): boolean {
  const [batches, column, row] = axes.length === 2 ? [oneBatch, ...axes] : axes;
  if (axes.length > 3 || batches === undefined || column === undefined || row === undefined)
    return false;
  const [rows, columns] = [row.size, column.size];
  const isTransposition =
    xOffset === 0 &&
    outOffset === 0 &&
    column.xStride === 1 &&
    column.outStride === rows &&
    row.xStride === columns &&
    row.outStride === 1 &&
    (batches.size === 1 ||
      (batches.xStride === rows * columns && batches.outStride === rows * columns));
  if (!isTransposition || rows % 4 !== 0 || columns % 4 !== 0) return false;
  const params = {
    blocks: (batches.size * rows * columns) / 16,
    rows: rows / 4,
    columns: columns / 4,
  };
  transposeKernel({ x, out }, params, { types: { T: wordType(x) }, label });
  return true;
}

const oneBatch: CopyAxis = { size: 1, xStride: 0, outStride: 0 };

/** Bits are moved, not numbers: all types of 4 bytes are one. */
function wordType({ dtype }: Tensor): "f16" | "u32" {
  return dtype === "f16" ? "f16" : "u32";
}

const unitTypes = [
  { bytes: 16, T: "vec4<u32>" },
  { bytes: 8, T: "vec2<u32>" },
  { bytes: 4, T: "u32" },
  { bytes: 2, T: "f16" },
] as const;

/** The general copy, in the widest unit that divides everything. */
function copyUnits({ x, out, axes, xOffset, outOffset, label }: Plan): void {
  const elementBytes = bytesPerElement[x.dtype];
  const inner = axes.at(-1) ?? oneBatch;
  const lengths = [
    xOffset,
    outOffset,
    inner.size,
    ...axes.slice(0, -1).flatMap((a) => [a.xStride, a.outStride]),
  ];
  const isRun = inner.xStride === 1 && inner.outStride === 1;
  const fits = (bytes: number): boolean =>
    lengths.every((length) => (length * elementBytes) % bytes === 0);
  const unit = unitTypes.find(
    ({ bytes }) => bytes === elementBytes || (isRun && bytes > elementBytes && fits(bytes)),
  );
  if (unit === undefined) return;
  const elements = unit.bytes / elementBytes;
  const shape = axes.map(({ size }, axis) => (axis === axes.length - 1 ? size / elements : size));
  const inUnits = (strides: readonly number[]): number[] =>
    strides.map((stride, axis) => (axis === axes.length - 1 ? stride : stride / elements));
  const params = {
    size: sizeOf(shape),
    x_offset: xOffset / elements,
    out_offset: outOffset / elements,
    shape,
    x_strides: inUnits(axes.map(({ xStride }) => xStride)),
    out_strides: inUnits(axes.map(({ outStride }) => outStride)),
  };
  stridedKernel({ x, out }, params, {
    overrides: { RANK: axes.length },
    types: { T: unit.T },
    label,
  });
}
